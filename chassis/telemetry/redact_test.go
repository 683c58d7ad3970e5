package telemetry

import (
	"strings"
	"testing"
	"time"
)

func TestRedact(t *testing.T) {
	const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
	for text, want := range map[string]string{
		"":                                           "",
		"order 17 taken":                             "order 17 taken",
		"card 4111111111111111 is due":               "card [redacted] is due",
		"card 4111 1111 1111 1111":                   "card [redacted]",
		"5500-0000-0000-0004":                        "[redacted]",
		"card 4111111111111112":                      "card 4111111111111112", // fails the Luhn check
		"at 1700000000000":                           "at 1700000000000",      // a time
		"id 4111111111111111abc":                     "id 4111111111111111abc",
		"11112222333344445555666677":                 "11112222333344445555666677", // too long
		"Authorization: Bearer abcdef0123456789":     "Authorization: [redacted] [redacted]",
		"got bearer of bad news":                     "got bearer of bad news",
		"Basic dXNlcjpwYXNz":                         "Basic [redacted]",
		"sent " + jwt + ".":                          "sent " + jwt + ".", // four parts
		"sent " + jwt + " to":                        "sent [redacted] to",
		"postgres://app:hunter2@db:5432/x":           "postgres://app:[redacted]@db:5432/x",
		"postgres://app:p@ss:w/rd@db/x":              "postgres://app:[redacted]@db/x",
		"http://catalog:8080/v1":                     "http://catalog:8080/v1",
		"http://catalog:8080/a@b":                    "http://catalog:8080/a@b",
		"host=db password=hunter2 dbname=x":          "host=db password=[redacted] dbname=x",
		`{"password":"hunter2","name":"x"}`:          `{"password":"[redacted]","name":"x"}`,
		`{\"client_secret\":\"a b\"}`:                `{\"client_secret\":\"[redacted]"}`,
		"token: abc, next":                           "token: [redacted], next",
		"GET /x?access_token=abc&limit=1":            "GET /x?access_token=[redacted]&limit=1",
		"retry at 12:30:00 with limit=5":             "retry at 12:30:00 with limit=5",
		"4111111111111111 4111 1111 1111 1111 17":    "[redacted] [redacted] 17",
		"ldap://app:w/rd@db/x":                       "ldap://app:[redacted]@db/x",
		"two: 4111111111111111, 5500000000000004 ok": "two: [redacted], [redacted] ok",
	} {
		if got := Redact(text); got != want {
			t.Errorf("Redact(%q)\n got %q\nwant %q", text, got, want)
		}
	}
}

func TestSensitiveKey(t *testing.T) {
	for _, key := range []string{
		"authorization", "Authorization", "Proxy-Authorization", "password", "userPassword", "db_password", "client-secret",
		"X-Api-Key", "apiKey", "access_token", "refreshToken", "Set-Cookie", "card_number", "cardNumber", "cvv", "PIN", "dsn", "session.id",
	} {
		if !SensitiveKey(key) {
			t.Errorf("%s passes", key)
		}
	}
	for _, key := range []string{"", "id", "name", "method", "orderId", "shipping", "company", "author", "operation", "spin", "expand", "discard"} {
		if SensitiveKey(key) {
			t.Errorf("%s is held back", key)
		}
	}
}

// Texts may come from outside and be as long as a request allows.
func TestRedactTakesTimeInProportion(t *testing.T) {
	for _, piece := range []string{"://", "eyJ", "token=\"", "4 ", "4111111111111111 ", "bearer ", "a:b@", "=", "\" "} {
		text := strings.Repeat(piece, 1<<20/len(piece))
		begin := time.Now()
		Redact(text)
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%q a million times takes %v", piece, took)
		}
	}
}

func FuzzRedact(f *testing.F) {
	for _, seed := range []string{"4111 1111 1111 1111", "a=:\"://@", "Bearer x", "eyJ.eyJ.eyJ", "password='", `\\"token\": \`, "://u:p@"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once := Redact(text)
		if strings.Contains(once, "4111111111111111") && !strings.Contains(text, "4111111111111111") {
			t.Fatal("a card number was made")
		}
		if Redact("card 4111111111111111 "+text) == "card 4111111111111111 "+text {
			t.Fatal("a card number passes")
		}
	})
}
