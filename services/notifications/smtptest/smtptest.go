// Package smtptest is a mail server for tests, with faults on demand. It speaks real SMTP on a port of its own.
package smtptest

import (
	"io"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// Mail is a letter that the server took.
type Mail struct {
	From, To string
	ID       string // Message-ID without <>
	Header   mail.Header
	Text     string
}

// Stage is a moment of the talk with a client.
type Stage string

// The stages: when the client names the sender, the receiver, and when it has sent the text.
const (
	Sender   Stage = "sender"
	Receiver Stage = "receiver"
	Text     Stage = "text"
)

// Server is a mail server. It takes everything that no fault keeps out.
type Server struct {
	t    testing.TB
	addr string

	mu      sync.Mutex
	server  *smtp.Server
	listens net.Listener
	ended   chan struct{}
	mails   []Mail
	fault   func(Stage) error
	forgets bool
}

// New starts a server that stops when the test ends.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, addr: "127.0.0.1:0"}
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// Start lets a server that was stopped listen again, where it did before.
func (s *Server) Start() {
	s.t.Helper()
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{server: s, conn: c}, nil }))
	server.Domain, server.ReadTimeout, server.WriteTimeout = "localhost", 10*time.Second, 10*time.Second
	server.ErrorLog = quiet{}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addr, s.server, s.listens, s.ended = l.Addr().String(), server, l, make(chan struct{})
	go func(ended chan struct{}) {
		defer close(ended)
		_ = server.Serve(l) // ends with ErrServerClosed
	}(s.ended)
}

// Stop is a server that is away: nobody listens, and who is connected is cut off.
func (s *Server) Stop() {
	s.mu.Lock()
	server, listens, ended := s.server, s.listens, s.ended
	s.mu.Unlock()
	_ = server.Close()  // it may be closed already
	_ = listens.Close() // which the server does not, unless it serves yet
	<-ended
}

// Host is where the server listens.
func (s *Server) Host() string {
	host, _, _ := net.SplitHostPort(s.addr)
	return host
}

// Port is the server's port.
func (s *Server) Port() int {
	addr, err := net.ResolveTCPAddr("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	return addr.Port
}

// Mails are the letters that the server took, in their order, the same one as often as it came.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// Delivered counts how often each letter came, by its id.
func (s *Server) Delivered() map[string]int {
	counts := map[string]int{}
	for _, m := range s.Mails() {
		counts[m.ID]++
	}
	return counts
}

// Refuse has the server ask at each stage for an answer other than yes. Nil takes everything.
func (s *Server) Refuse(fault func(Stage) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// LoseAnswers has the server take letters and then cut the connection instead of saying so.
func (s *Server) LoseAnswers(lose bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgets = lose
}

// Answer is a refusal with a code, such as 451 or 550.
func Answer(code int, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: text}
}

func (s *Server) at(stage Stage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault == nil {
		return nil
	}
	return s.fault(stage)
}

type session struct {
	server   *Server
	conn     *smtp.Conn
	from, to string
}

func (s *session) Reset()        { s.from, s.to = "", "" }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return s.server.at(Sender)
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return s.server.at(Receiver)
}

func (s *session) Data(r io.Reader) error {
	message, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(message.Body)
	if err != nil {
		return err
	}
	if err := s.server.at(Text); err != nil {
		return err
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, Mail{
		From: s.from, To: s.to, ID: strings.Trim(message.Header.Get("Message-ID"), "<>"), Header: message.Header, Text: string(text),
	})
	if s.server.forgets {
		_ = s.conn.Conn().Close()
	}
	return nil
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}
