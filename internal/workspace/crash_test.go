package workspace

func syncMain(args []string) bool { return false }
