package mail_test

import (
	"fmt"
	"net"
	"net/smtp"
	"testing"

	"github.com/trellis-mesh/trellis/internal/local/mail"
)

// start gives a sink, where it listens, and what it has told of.
func start(t *testing.T, keep int) (sink *mail.Sink, addr string, told chan mail.Mail) {
	t.Helper()
	told = make(chan mail.Mail, 10)
	sink = mail.NewSink(mail.Options{Keep: keep, Took: func(m mail.Mail) { told <- m }})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = sink.Serve(l) // ends when it is closed
	}()
	t.Cleanup(func() {
		_ = sink.Close()
		_ = l.Close()
		<-ended
	})
	return sink, l.Addr().String(), told
}

func send(t *testing.T, addr, id string) {
	t.Helper()
	letter := fmt.Sprintf("Message-ID: <%s@shop>\r\nX-Notification-Kind: welcome\r\nSubject: Hello\r\n\r\nWelcome\r\n", id)
	if err := smtp.SendMail(addr, nil, "shop@example.com", []string{"ada@example.com"}, []byte(letter)); err != nil {
		t.Fatal(err)
	}
}

func TestALetterIsKeptOnce(t *testing.T) {
	sink, addr, told := start(t, 0)
	send(t, addr, "1")
	send(t, addr, "2")
	send(t, addr, "1")
	mails := sink.Mails()
	if len(mails) != 2 || mails[0].ID != "1@shop" || mails[0].Delivered != 2 || mails[1].Delivered != 1 {
		t.Fatalf("mails %+v", mails)
	}
	if m := mails[1]; m.Kind != "welcome" || m.Subject != "Hello" || m.Text != "Welcome\r\n" || len(m.To) != 1 || m.To[0] != "ada@example.com" {
		t.Errorf("mail %+v", m)
	}
	for _, id := range []string{"1@shop", "2@shop", "1@shop"} {
		if m := <-told; m.ID != id {
			t.Errorf("told of %s, want %s", m.ID, id)
		}
	}
}

func TestTheLastLettersAreKept(t *testing.T) {
	sink, addr, _ := start(t, 2)
	for _, id := range []string{"1", "2", "3"} {
		send(t, addr, id)
	}
	if mails := sink.Mails(); len(mails) != 2 || mails[0].ID != "2@shop" || mails[1].ID != "3@shop" {
		t.Errorf("mails %+v", mails)
	}
}

func TestWhatIsNoLetterIsRefused(t *testing.T) {
	sink, addr, _ := start(t, 0)
	if err := smtp.SendMail(addr, nil, "shop@example.com", []string{"ada@example.com"}, []byte("no header")); err == nil {
		t.Error("it was taken")
	}
	if mails := sink.Mails(); len(mails) > 0 {
		t.Errorf("mails %+v", mails)
	}
}
