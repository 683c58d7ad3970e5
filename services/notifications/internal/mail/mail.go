// Package mail sends letters by SMTP. What it says of a failure has no address in it, and nothing that a server wrote.
package mail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
)

// The ways to encrypt the connection.
const (
	StartTLS = "starttls" // begins in the clear, and goes on encrypted or not at all
	Implicit = "implicit" // is encrypted from the beginning, as on port 465
	NoTLS    = "none"     // for a server on this machine
)

// Options say where the server is and who writes.
type Options struct {
	Host     string
	Port     int
	TLS      string // StartTLS, Implicit or NoTLS
	Username string // "" does without logging in
	Password string
	From     string        // an address, or Name <address>
	Timeout  time.Duration // of each step of the talk with the server; default 5s
}

// Letter is what is sent. The ID becomes the Message-ID.
type Letter struct {
	ID, Kind, To, Subject, Text string
	Date                        time.Time
}

// Error is a letter that the server did not take, or that it may have taken without our getting to know.
type Error struct {
	Permanent bool // to send it again would be of no use
	reason    string
}

// Error implements error.
func (e *Error) Error() string { return e.reason }

// Sender sends letters.
type Sender struct {
	opt    Options
	domain string // of the sender's address
	client []mail.Option
}

// New makes a sender. It does not connect.
func New(opt Options) (*Sender, error) {
	probe := mail.NewMsg()
	if err := probe.From(opt.From); err != nil {
		return nil, fmt.Errorf("mail: the sender's address: %w", err)
	}
	from, err := probe.GetSender(false)
	if err != nil {
		return nil, fmt.Errorf("mail: the sender's address: %w", err)
	}
	if opt.Timeout == 0 {
		opt.Timeout = 5 * time.Second
	}
	s := &Sender{opt: opt, domain: from[strings.LastIndex(from, "@")+1:]}
	s.client = []mail.Option{mail.WithPort(opt.Port), mail.WithTimeout(opt.Timeout)}
	switch opt.TLS {
	case Implicit:
		s.client = append(s.client, mail.WithSSL())
	case StartTLS:
		s.client = append(s.client, mail.WithTLSPolicy(mail.TLSMandatory))
	case NoTLS:
		s.client = append(s.client, mail.WithTLSPolicy(mail.NoTLS))
	default:
		return nil, fmt.Errorf("mail: TLS %q: want %s, %s or %s", opt.TLS, StartTLS, Implicit, NoTLS)
	}
	if opt.Username != "" {
		s.client = append(s.client, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(opt.Username), mail.WithPassword(opt.Password))
	}
	if opt.Host == "" {
		return s, nil // it can be told all the same whether the rest is right
	}
	if _, err := mail.NewClient(opt.Host, s.client...); err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	return s, nil
}

// Send gives the letter to the server. Once the server has taken it, nothing that goes wrong afterwards is an error. It does not end
// with ctx, except while it connects: a letter that is under way is brought to its end.
func (s *Sender) Send(ctx context.Context, letter Letter) error {
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := m.From(s.opt.From); err != nil {
		return &Error{Permanent: true, reason: "the sender's address is none"}
	}
	if err := m.To(letter.To); err != nil {
		return &Error{Permanent: true, reason: "the address is none"}
	}
	m.Subject(letter.Subject)
	m.SetMessageIDWithValue(letter.ID + "@" + s.domain)
	m.SetDateWithValue(letter.Date)
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody's absence notice answers it
	m.SetGenHeader("X-Notification-Kind", letter.Kind)
	m.SetBodyString(mail.TypeTextPlain, letter.Text)
	client, err := mail.NewClient(s.opt.Host, s.client...)
	if err != nil {
		return &Error{reason: "the mail server's settings are wrong"}
	}
	if err := client.DialAndSendWithContext(ctx, m); err != nil && !m.IsDelivered() {
		return translate(err)
	}
	return nil
}

// translate says what went wrong, without the address that the library's own text has.
func translate(err error) *Error {
	if sending := (*mail.SendError)(nil); errors.As(err, &sending) {
		what := sending.Reason.String()
		if code := sending.ErrorCode(); code > 0 {
			what = strings.TrimSpace(fmt.Sprintf("%s: the server says %d %s", what, code, sending.EnhancedStatusCode()))
			return &Error{Permanent: code >= 500 && sending.Reason != mail.ErrSMTPMailFrom, reason: what} // the sender is a setting, and can be corrected
		}
		return &Error{Permanent: isOurs(sending.Reason), reason: what + ": no answer"}
	}
	// Before the letter is named, nothing says that it is at fault: a password that is wrong can be corrected.
	if answer := (*textproto.Error)(nil); errors.As(err, &answer) {
		return &Error{reason: fmt.Sprintf("connecting to the mail server: it says %d", answer.Code)}
	}
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return &Error{reason: "connecting to the mail server: it takes too long"}
	}
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		return &Error{reason: "connecting to the mail server: " + op.Err.Error()}
	}
	return &Error{reason: "connecting to the mail server failed"}
}

// isOurs reports whether a letter was refused before the server was asked.
func isOurs(reason mail.SendErrReason) bool {
	return reason == mail.ErrGetSender || reason == mail.ErrGetRcpts || reason == mail.ErrNoUnencoded
}
