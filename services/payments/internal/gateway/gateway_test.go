package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/contracts/money"
	legacyapi "github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
)

// answers is a gateway that gives one answer to everything, and keeps what it was asked.
type answers struct {
	status      int
	contentType string
	body        string
	err         error
	asked       []string
}

func (a *answers) Do(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(text)
	}
	a.asked = append(a.asked, r.Method+" "+r.URL.Path+" "+body)
	if a.err != nil {
		return nil, a.err
	}
	return &http.Response{
		StatusCode: a.status, Header: http.Header{"Content-Type": {a.contentType}}, Body: io.NopCloser(strings.NewReader(a.body)), Request: r,
	}, nil
}

func (a *answers) gateway(t testing.TB) *Gateway {
	t.Helper()
	if a.contentType == "" {
		a.contentType = "application/json"
	}
	client, err := legacyapi.NewClientWithResponses("http://legacy", legacyapi.WithHTTPClient(a))
	if err != nil {
		t.Fatal(err)
	}
	return New(client)
}

func euro(t testing.TB, amount string) money.Money {
	t.Helper()
	m, err := money.New(amount, "EUR")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func body(status int, charged int64) string {
	return fmt.Sprintf(`{"transaction_id": "t", "status_code": %d, "response_message": "why", "transaction_date": "2026-01-02T03:04:05Z", "amount_charged": %d}`,
		status, charged)
}

// ambiguous are answers that tell nothing, whatever was asked.
var ambiguous = map[string]answers{
	"a timeout":                         {err: context.DeadlineExceeded},
	"a lost connection":                 {err: io.ErrUnexpectedEOF},
	"bad gateway":                       {status: 502, body: body(502, 0)},
	"unavailable":                       {status: 503, body: `{}`},
	"a gateway's timeout":               {status: 504},
	"too many requests":                 {status: 429, body: body(429, 0)},
	"a redirect":                        {status: 302},
	"no content":                        {status: 204},
	"another success":                   {status: 201, body: body(201, 1999)},
	"success without a body":            {status: 200},
	"success cut off":                   {status: 200, body: body(200, 1999)[:40]},
	"success that is no JSON":           {status: 200, contentType: "text/html", body: "<html>"},
	"success that contradicts itself":   {status: 200, body: body(777, 1999)},
	"success of another amount":         {status: 200, body: body(200, 2000)},
	"success of a fraction of a cent":   {status: 200, body: strings.Replace(body(200, 1999), "1999", "1999.5", 1)},
	"success without a transaction":     {status: 200, body: strings.Replace(body(200, 1999), `"t"`, `""`, 1)},
	"null":                              {status: 200, body: "null"},
	"a problem of what is in between":   {status: 500, contentType: "application/problem+json", body: `{"status": 500, "code": "internal"}`},
	"a not found that is not of theirs": {status: 404, contentType: "application/problem+json", body: `{"status": 404}`},
}

func TestWhatTellsNothingIsUnknown(t *testing.T) {
	for name, a := range ambiguous {
		t.Run(name, func(t *testing.T) {
			g := a.gateway(t)
			for what, got := range map[string]domain.Outcome{
				"charge":   g.Charge(t.Context(), "r", "card", euro(t, "19.99")),
				"lookup":   g.Lookup(t.Context(), "r", euro(t, "19.99")),
				"refund":   g.Refund(t.Context(), "r"),
				"register": g.Register(t.Context(), "r", domain.NewCard("4111111111111111", 1, 2030, "123")),
				"verify":   g.Verify(t.Context(), "r", "card"),
			} {
				if got.Result != domain.Unknown {
					t.Errorf("%s is %s", what, got.Result)
				}
			}
		})
	}
}

func TestTranslation(t *testing.T) {
	charge := func(g *Gateway) domain.Outcome { return g.Charge(t.Context(), "r", "card", euro(t, "19.99")) }
	verify := func(g *Gateway) domain.Outcome { return g.Verify(t.Context(), "r", "card") }
	lookup := func(g *Gateway) domain.Outcome { return g.Lookup(t.Context(), "r", euro(t, "19.99")) }
	refund := func(g *Gateway) domain.Outcome { return g.Refund(t.Context(), "r") }
	for name, test := range map[string]struct {
		answer answers
		ask    func(*Gateway) domain.Outcome
		want   domain.Result
	}{
		"charged":                             {answers{status: 200, body: body(200, 1999)}, charge, domain.Success},
		"refused":                             {answers{status: 400, body: body(400, 0)}, charge, domain.Refused},
		"refused, and charged":                {answers{status: 400, body: body(400, 1999)}, charge, domain.Unknown},
		"failed":                              {answers{status: 500, body: body(500, 0)}, charge, domain.Error},
		"failed, and charged":                 {answers{status: 500, body: body(500, 1999)}, charge, domain.Unknown},
		"the reference was used":              {answers{status: 409, body: body(409, 0)}, charge, domain.Unknown},
		"verified":                            {answers{status: 200, body: body(200, 0)}, verify, domain.Success},
		"verified, but charged":               {answers{status: 200, body: body(200, 5)}, verify, domain.Unknown},
		"not verified":                        {answers{status: 400, body: body(400, 0)}, verify, domain.Refused},
		"looked up, charged":                  {answers{status: 200, body: body(200, 1999)}, lookup, domain.Success},
		"looked up, refused":                  {answers{status: 200, body: body(400, 0)}, lookup, domain.Refused},
		"looked up, failed":                   {answers{status: 200, body: body(500, 0)}, lookup, domain.Error},
		"looked up, given back":               {answers{status: 200, body: body(200, 0)}, lookup, domain.Unknown},
		"looked up, not there":                {answers{status: 404, body: body(404, 0)}, lookup, domain.Absent},
		"given back":                          {answers{status: 200, body: body(200, 0)}, refund, domain.Success},
		"given back, but still charged":       {answers{status: 200, body: body(200, 1999)}, refund, domain.Unknown},
		"nothing to give back":                {answers{status: 200, body: body(400, 0)}, refund, domain.Refused},
		"nothing to give back after an error": {answers{status: 200, body: body(500, 0)}, refund, domain.Refused},
		"kept out":                            {answers{status: 404, body: body(404, 0)}, refund, domain.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			got := test.ask(test.answer.gateway(t))
			if got.Result != test.want {
				t.Errorf("got %+v, want %s", got, test.want)
			}
			if got.Result == domain.Success && got.TransactionID != "t" {
				t.Errorf("transaction %q", got.TransactionID)
			}
		})
	}
}

func TestTheRequestIsInTheGatewaysTerms(t *testing.T) {
	a := &answers{status: 200, body: body(200, 0)}
	g := a.gateway(t)
	g.Charge(t.Context(), "ref", "card", euro(t, "4.35"))
	g.Register(t.Context(), "ref", domain.NewCard("4111111111111111", 1, 2030, "123"))
	want := []map[string]any{
		{"reference": "ref", "original_transaction_id": "card", "amount_cents": 435.0, "currency_code": "EUR"},
		{
			"reference": "ref", "card_number": "4111111111111111", "expiry_month": 1.0, "expiry_year": 2030.0, "cvv": "123",
			"amount_cents": 0.0, "currency_code": "EUR",
		},
	}
	for i, asked := range a.asked {
		_, sent, _ := strings.Cut(asked, "/gateway/payments ")
		var got map[string]any
		if err := json.Unmarshal([]byte(sent), &got); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want[i]) {
			t.Errorf("sent %v, want %v", got, want[i])
		}
	}
}

func TestCents(t *testing.T) {
	for _, test := range []struct {
		amount, currency string
		want             int64
	}{
		{"19.99", "EUR", 1999}, {"4.35", "EUR", 435}, {"1.15", "EUR", 115}, {"0.29", "EUR", 29}, {"12", "JPY", 12}, {"1.234", "BHD", 1234},
		{"90071992547409.91", "EUR", 9007199254740991},
	} {
		m, err := money.New(test.amount, test.currency)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Cents(m); err != nil || got != test.want {
			t.Errorf("%s is %d cents with error %v, want %d", m, got, err, test.want)
		}
	}
	for _, bad := range [][2]string{{"1.005", "EUR"}, {"1.5", "JPY"}, {"1.2345", "BHD"}, {"90071992547409.92", "EUR"}, {"999999999999999999", "EUR"}} {
		m, err := money.New(bad[0], bad[1])
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Cents(m); !errors.Is(err, ErrAmount) {
			t.Errorf("%s is %d cents", m, got)
		}
		a := &answers{status: 200}
		if got := a.gateway(t).Charge(t.Context(), "r", "card", m); got.Result != domain.Refused || len(a.asked) > 0 {
			t.Errorf("%s is charged: %+v, asked %v", m, got, a.asked)
		}
	}
}

func TestNothingIsNotCharged(t *testing.T) {
	a := &answers{status: 200, body: body(200, 0)}
	if got := a.gateway(t).Charge(t.Context(), "r", "card", euro(t, "0")); got.Result != domain.Refused || len(a.asked) > 0 {
		t.Errorf("got %+v, asked %v", got, a.asked)
	}
}

func TestAReasonShowsNoCard(t *testing.T) {
	for _, number := range []string{"4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "123456789012"} {
		if got := reason("card " + number + " is stolen"); got != "card … is stolen" {
			t.Errorf("reason %q", got)
		}
	}
	if got := reason(strings.Repeat("ä", 1000)); got != strings.Repeat("ä", 200) {
		t.Errorf("reason %q", got)
	}
}

// FuzzAnswer feeds answers of any kind. A charge succeeds only when the answer says so in every respect.
func FuzzAnswer(f *testing.F) {
	for _, a := range ambiguous {
		f.Add(a.status, a.contentType, a.body)
	}
	for _, status := range []int{200, 400, 404, 409, 500} {
		f.Add(status, "application/json", body(status, 1999))
		f.Add(status, "application/json", body(status, 0))
	}
	f.Fuzz(func(t *testing.T, status int, contentType, text string) {
		a := answers{status: status, contentType: contentType, body: text}
		g := a.gateway(t)
		var said legacyapi.GatewayAnswer
		readable := json.Unmarshal([]byte(text), &said) == nil && said.TransactionID != ""
		for _, got := range []domain.Outcome{
			g.Charge(t.Context(), "r", "card", euro(t, "19.99")), g.Lookup(t.Context(), "r", euro(t, "19.99")), g.Refund(t.Context(), "r"),
		} {
			if longNumber.MatchString(got.Reason) || len([]rune(got.Reason)) > 200 {
				t.Fatalf("reason %q", got.Reason)
			}
			if got.Result == domain.Success && (status != http.StatusOK || !readable || said.StatusCode != http.StatusOK) {
				t.Fatalf("%d %q is %+v", status, text, got)
			}
		}
		if got := g.Charge(t.Context(), "r", "card", euro(t, "19.99")); got.Result == domain.Success && said.AmountCharged != 1999 {
			t.Fatalf("%d %q is %+v", status, text, got)
		} else if got.Result == domain.Error && (status != http.StatusInternalServerError || said.StatusCode != status) {
			t.Fatalf("%d %q is %+v", status, text, got)
		}
	})
}
