// Package mail takes the mails that services send and keeps the last of them in memory, for people and tests to look at. It delivers
// nothing to anybody.
package mail

import (
	"cmp"
	"io"
	"net"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// Mail is a letter that was sent. The same one, by its id, that is sent again is there once.
type Mail struct {
	ID        string // the Message-ID, without <>
	Kind      string // as the service calls it, in X-Notification-Kind
	To        []string
	Subject   string // as it is in the header
	Header    mail.Header
	Text      string
	Delivered int // how often it came
}

// Options tune a Sink. The zero value is good.
type Options struct {
	Keep int        // letters that are kept; default 1000
	Took func(Mail) // is told of each letter that was taken
}

// Sink is a mail server.
type Sink struct {
	opt    Options
	server *smtp.Server

	mu    sync.Mutex
	mails []*Mail // the latest last
}

// NewSink makes a mail server, to be started with Serve.
func NewSink(opt Options) *Sink {
	opt.Keep = cmp.Or(opt.Keep, 1000)
	s := &Sink{opt: opt}
	s.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{sink: s}, nil }))
	s.server.Domain, s.server.MaxMessageBytes, s.server.MaxRecipients = "localhost", 1<<20, 100
	s.server.ReadTimeout, s.server.WriteTimeout = time.Minute, time.Minute
	s.server.ErrorLog = silent{}
	return s
}

// Serve takes mails until Close.
func (s *Sink) Serve(l net.Listener) error { return s.server.Serve(l) }

// Close ends Serve and all connections.
func (s *Sink) Close() error { return s.server.Close() }

// Mails are the letters that are kept, in the order in which they came first.
func (s *Sink) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Mail, len(s.mails))
	for i, m := range s.mails {
		all[i] = *m
	}
	return all
}

func (s *Sink) take(m Mail) {
	s.mu.Lock()
	kept := &m
	if i := slices.IndexFunc(s.mails, func(k *Mail) bool { return m.ID != "" && k.ID == m.ID }); i >= 0 {
		kept = s.mails[i]
	} else {
		s.mails = append(s.mails, kept)
	}
	kept.Delivered++
	s.mails = s.mails[max(0, len(s.mails)-s.opt.Keep):]
	told := *kept
	s.mu.Unlock()
	if s.opt.Took != nil {
		s.opt.Took(told)
	}
}

// session is the talk with one client.
type session struct {
	sink *Sink
	to   []string
}

func (s *session) Reset()                               { s.to = nil }
func (s *session) Logout() error                        { return nil }
func (s *session) Mail(string, *smtp.MailOptions) error { return nil }
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	message, err := mail.ReadMessage(r)
	if err != nil {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "this is no letter"}
	}
	text, err := io.ReadAll(message.Body)
	if err != nil {
		return err
	}
	s.sink.take(Mail{
		ID: strings.Trim(message.Header.Get("Message-ID"), "<>"), Kind: message.Header.Get("X-Notification-Kind"), To: s.to,
		Subject: message.Header.Get("Subject"), Header: message.Header, Text: string(text),
	})
	return nil
}

// silent is for what clients do wrong.
type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}
