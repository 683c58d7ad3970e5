package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// Streams are what the command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// Interactive is whether a person is at both ends, so that questions can be asked.
	Interactive bool
	// OutTTY is whether Out is a terminal; Colour and ErrColour whether colours are wanted.
	OutTTY, Colour, ErrColour bool
	// Accessible asks for plain prompts, for screen readers.
	Accessible bool
	Getenv     func(string) string
}

func standardStreams() Streams {
	in, out, errs := isTerminal(os.Stdin), isTerminal(os.Stdout), isTerminal(os.Stderr)
	// https://no-color.org: any value but the empty one.
	plain := os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb"
	return Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Interactive: in && out, OutTTY: out, Colour: out && !plain, ErrColour: errs && !plain,
		Accessible: os.Getenv("ACCESSIBLE") != "",
		Getenv:     os.Getenv,
	}
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Codes of ANSI styles, see ECMA-48, section 8.3.117.
const (
	bold   = "1"
	faint  = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func paint(on bool, code, text string) string {
	if !on {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// say writes to standard output. That it can't be written is not worth a message which can't be written either.
func (a *app) say(format string, args ...any) { _, _ = fmt.Fprintf(a.Out, format, args...) }

// aside writes to standard error.
func (a *app) aside(format string, args ...any) { _, _ = fmt.Fprintf(a.Err, format, args...) }

// printError prints problems as lines that an editor turns into links, any other error behind the word.
func (a *app) printError(err error) {
	var problems spec.Problems
	if errors.As(err, &problems) {
		a.printProblems(a.Err, a.ErrColour, problems)
	} else {
		a.aside("%s %s\n", paint(a.ErrColour, red, "error:"), strings.TrimSuffix(err.Error(), "\n"))
	}
	if r := (*refusal)(nil); errors.As(err, &r) {
		a.aside("nothing was written\n")
	}
}

func (a *app) printProblems(w io.Writer, colour bool, problems spec.Problems) {
	for _, p := range problems {
		text := strings.TrimPrefix(p.String(), p.Position.String())
		_, _ = fmt.Fprintf(w, "%s%s\n", paint(colour, bold, p.Position.String()), text)
	}
}

// next ends a command's output with what can be done now: pairs of a command and what it does.
func (a *app) next(pairs ...string) {
	width := 0
	for i := 0; i < len(pairs); i += 2 {
		width = max(width, len(pairs[i]))
	}
	a.say("\n%s\n", paint(a.Colour, bold, "Next:"))
	for i := 0; i < len(pairs); i += 2 {
		a.say("  %-*s  %s\n", width, pairs[i], paint(a.Colour, faint, pairs[i+1]))
	}
}

// shell quotes a word for a command line that a person can paste.
func shell(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,=@"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
