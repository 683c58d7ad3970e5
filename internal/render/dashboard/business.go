package dashboard

func (b *serviceBoard) business() {}
