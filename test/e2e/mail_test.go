package e2e

import (
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/internal/local"
	"github.com/trellis-mesh/trellis/internal/local/mail"
	"github.com/trellis-mesh/trellis/internal/local/otlp"
)

func TestAUserIsWelcomedByMail(t *testing.T) {
	p := start(t, local.Options{Services: []string{"users", "notifications"}})
	ada := customer(t, p, "Ada")
	welcome := welcomed(t, p, "Ada")
	if welcome.Subject != "Welcome" || len(welcome.To) != 1 || !strings.HasPrefix(welcome.To[0], "ada-") {
		t.Errorf("mail %+v", welcome)
	}
	var list struct {
		Items []struct{ ID, Kind, Status, SentAt string }
	}
	eventually(t, 20*time.Second, "the message is marked as sent", func() bool {
		status := get(t, p, "notifications", "/v1/messages?customerId="+ada, &list)
		return status == http.StatusOK && len(list.Items) == 1 && list.Items[0].Status == "sent" && list.Items[0].SentAt != ""
	})
	if m := list.Items[0]; m.Kind != "welcome" || !strings.HasPrefix(welcome.ID, m.ID+"@") {
		t.Errorf("message %+v, mail %s", m, welcome.ID)
	}

	t.Run("one trace goes from the request to the mail", func(t *testing.T) {
		seen := func(tr otlp.Trace) bool {
			registered := slices.ContainsFunc(tr.Spans, func(s otlp.Span) bool { return s.Service == "users" && s.Kind == "server" })
			sent := slices.ContainsFunc(tr.Spans, func(s otlp.Span) bool { return s.Service == "notifications" && s.Name == "send welcome" })
			return registered && sent
		}
		if _, err := p.Traces().Wait(t.Context(), seen); err != nil {
			t.Error(err)
		}
	})
	t.Run("who registers while notifications is away is welcomed later", func(t *testing.T) {
		if err := p.Kill("notifications", syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		customer(t, p, "Grace")
		if err := p.Restart(t.Context(), "notifications"); err != nil {
			t.Fatal(err)
		}
		welcomed(t, p, "Grace")
	})
	for _, m := range p.Mail().Mails() {
		if m.Delivered != 1 {
			t.Errorf("the mail %s came %d times", m.ID, m.Delivered)
		}
	}
}

// welcomed waits for the mail that welcomes somebody.
func welcomed(t *testing.T, p *shop, name string) (found mail.Mail) {
	t.Helper()
	eventually(t, 30*time.Second, name+" is welcomed", func() bool {
		mails := p.Mail().Mails()
		i := slices.IndexFunc(mails, func(m mail.Mail) bool { return m.Kind == "welcome" && strings.Contains(m.Text, "Hello "+name) })
		if i >= 0 {
			found = mails[i]
		}
		return i >= 0
	})
	return found
}
