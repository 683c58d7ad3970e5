package mail

import (
	"context"
	"errors"
	"mime"
	"strings"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/services/notifications/smtptest"
)

const address = "ada@customers.example"

var letter = Letter{
	ID: "m-1", Kind: "welcome", To: address, Subject: "Grüße", Text: "Hello Ada,\n\n.\nwelcome\n",
	Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
}

func newSender(t *testing.T, server *smtptest.Server, change ...func(*Options)) *Sender {
	t.Helper()
	opt := Options{Host: server.Host(), Port: server.Port(), TLS: NoTLS, From: "Shop <shop@shop.example>", Timeout: time.Second}
	for _, c := range change {
		c(&opt)
	}
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestALetterArrivesAsItIs(t *testing.T) {
	server := smtptest.New(t)
	if err := newSender(t, server).Send(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	mails := server.Mails()
	if len(mails) != 1 {
		t.Fatalf("mails %+v", mails)
	}
	got := mails[0]
	subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
	if err != nil || subject != "Grüße" {
		t.Errorf("subject %q, %v", subject, err)
	}
	if got.From != "shop@shop.example" || got.To != address || got.ID != "m-1@shop.example" {
		t.Errorf("mail %+v", got)
	}
	if text := strings.ReplaceAll(got.Text, "\r\n", "\n"); text != letter.Text {
		t.Errorf("text %q, want %q", text, letter.Text)
	}
	if date, err := got.Header.Date(); err != nil || !date.Equal(letter.Date) {
		t.Errorf("date %s, %v", date, err)
	}
	for name, want := range map[string]string{"Auto-Submitted": "auto-generated", "X-Notification-Kind": "welcome", "To": "<" + address + ">"} {
		if value := got.Header.Get(name); value != want {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
}

func TestAFailureSaysWhetherToTryAgainAndNoAddress(t *testing.T) {
	server := smtptest.New(t)
	say := func(stage smtptest.Stage, code int) func(*testing.T) {
		return func(*testing.T) {
			server.Refuse(func(at smtptest.Stage) error {
				if at != stage {
					return nil
				}
				return smtptest.Answer(code, "no letters for "+address)
			})
		}
	}
	for name, tt := range map[string]struct {
		goesWrong func(*testing.T)
		letter    func(*Letter)
		options   func(*Options)
		permanent bool
		reason    string
	}{
		"no such mailbox":       {goesWrong: say(smtptest.Receiver, 550), permanent: true, reason: "550 5.1.1"},
		"a full mailbox":        {goesWrong: say(smtptest.Receiver, 452), reason: "452 4.1.1"},
		"a sender not liked":    {goesWrong: say(smtptest.Sender, 553), reason: "553"},
		"a server that is busy": {goesWrong: say(smtptest.Text, 451), reason: "451"},
		"a text not liked":      {goesWrong: say(smtptest.Text, 554), permanent: true, reason: "554"},
		"no address":            {letter: func(l *Letter) { l.To = "nobody" }, permanent: true, reason: "the address is none"},
		"an address that is a header": {
			letter: func(l *Letter) { l.To = address + "\r\nBcc: eve@example.com" }, permanent: true, reason: "the address is none",
		},
		"a server that does not encrypt":   {options: func(o *Options) { o.TLS = StartTLS }, reason: "connecting"},
		"a server that speaks in clear":    {options: func(o *Options) { o.TLS = Implicit }, reason: "connecting"},
		"a server that takes no passwords": {options: func(o *Options) { o.Username, o.Password = "shop", "secret" }, reason: "connecting"},
		"a server that is away":            {goesWrong: func(*testing.T) { server.Stop() }, reason: "connection refused"},
		"an answer that is lost":           {goesWrong: func(*testing.T) { server.LoseAnswers(true) }, reason: "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.goesWrong != nil {
				tt.goesWrong(t)
			}
			t.Cleanup(func() {
				server.Refuse(nil)
				server.LoseAnswers(false)
				server.Stop()
				server.Start()
			})
			sent := letter
			if tt.letter != nil {
				tt.letter(&sent)
			}
			var change []func(*Options)
			if tt.options != nil {
				change = append(change, tt.options)
			}
			err := newSender(t, server, change...).Send(t.Context(), sent)
			var failed *Error
			if !errors.As(err, &failed) || failed.Permanent != tt.permanent || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("error %v (%T), want permanent %v and %q", err, err, tt.permanent, tt.reason)
			}
			if err != nil && (strings.Contains(err.Error(), "@") || strings.Contains(err.Error(), "letters")) {
				t.Errorf("the error tells more than it may: %v", err)
			}
		})
	}
}

func TestASenderThatIsToldToStopDoesNotConnect(t *testing.T) {
	server := smtptest.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newSender(t, server).Send(ctx, letter); err == nil {
		t.Error("it was sent")
	}
	if mails := server.Mails(); len(mails) > 0 {
		t.Errorf("mails %+v", mails)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	good := Options{Host: "smtp.example.com", Port: 465, TLS: Implicit, From: "shop@shop.example"}
	for name, change := range map[string]func(*Options){
		"a sender without a domain": func(o *Options) { o.From = "shop" },
		"an unknown encryption":     func(o *Options) { o.TLS = "ssl" },
		"no port":                   func(o *Options) { o.Port = 70000 },
	} {
		opt := good
		if change(&opt); newErr(opt) == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if err := newErr(good); err != nil {
		t.Error(err)
	}
}

func newErr(opt Options) error {
	_, err := New(opt)
	return err
}
