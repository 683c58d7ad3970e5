package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/internal/local"
)

type account struct {
	ID      string
	Version int64
	Balance struct{ Amount, Currency string }
}

// TestBookingsSurviveKills has clients repeat each booking with its key until it is answered, while ledger is killed again and again.
func TestBookingsSurviveKills(t *testing.T) {
	p := start(t, local.Options{Services: []string{"ledger"}})
	if _, err := p.authorization(); err != nil { // kept for what follows
		t.Fatal(err)
	}
	var opened account
	if status, err := book(p, "/v1/accounts", "open", map[string]any{"owner": "ada", "opening": eur("1000")}, &opened); err != nil || status != http.StatusCreated {
		t.Fatalf("status %d, %v", status, err)
	}
	const clients, bookings = 4, 15
	path := "/v1/accounts/" + opened.ID
	var group sync.WaitGroup
	var answered atomic.Int64
	for client := range clients {
		group.Go(func() {
			for n := range bookings {
				key, kind, amount := fmt.Sprintf("%d-%d", client, n), "deposits", "3"
				if n%3 == 2 {
					kind, amount = "withdrawals", "5"
				}
				deadline := time.Now().Add(2 * time.Minute)
				for status := 0; status != http.StatusOK; {
					if time.Now().After(deadline) {
						t.Errorf("booking %s is never answered; the last status is %d", key, status)
						return
					}
					var err error
					status, err = book(p, path+"/"+kind, key, map[string]any{"amount": eur(amount)}, new(account))
					if err == nil && status != http.StatusOK && status != http.StatusConflict && status < http.StatusInternalServerError {
						t.Errorf("booking %s: status %d", key, status)
						return
					}
					if status != http.StatusOK { // ledger is away, or holds the key for what it was killed at
						<-time.After(50 * time.Millisecond)
					}
				}
				answered.Add(1)
			}
		})
	}
	for kill := range int64(2) {
		eventually(t, 2*time.Minute, "bookings go on", func() bool { return answered.Load() >= (kill+1)*10 })
		if err := p.Kill("ledger", syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := p.Restart(t.Context(), "ledger"); err != nil {
			t.Fatal(err)
		}
	}
	group.Wait()

	// Of each client's 15 bookings, 10 put in 3 and 5 take out 5.
	var got account
	if status := get(t, p, "ledger", path, &got); status != http.StatusOK || got.Balance.Amount != "1020" || got.Version != 1+clients*bookings {
		t.Fatalf("status %d, account %+v", status, got)
	}
	for _, projection := range []string{"statement", "balances"} {
		resp, err := send(http.MethodPost, p.Service("ledger").Admin+"/projections/"+projection+"/rebuild", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		var begun struct{ Generation int64 }
		if status := decode(t, resp, &begun); status != http.StatusAccepted || begun.Generation != 2 {
			t.Errorf("rebuild %s: status %d, %+v", projection, status, begun)
		}
	}
	eventually(t, 30*time.Second, "both projections are rebuilt", func() bool {
		resp, err := send(http.MethodGet, p.Service("ledger").Admin+"/projections", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		var shown struct {
			Projections []struct {
				Generation int64
				State      string
			}
		}
		decode(t, resp, &shown)
		rebuilt := 0
		for _, one := range shown.Projections {
			if one.Generation == 2 && one.State == "live" {
				rebuilt++
			}
		}
		return rebuilt == 2
	})
	var statement struct{ Items []struct{ Version int64 } }
	status := get(t, p, "ledger", fmt.Sprintf("%s/statement?limit=200&since=%d", path, got.Version), &statement)
	if status != http.StatusOK || int64(len(statement.Items)) != got.Version || statement.Items[0].Version != got.Version {
		t.Errorf("status %d, a statement of %d bookings, want %d", status, len(statement.Items), got.Version)
	}
}

func eur(amount string) map[string]string {
	return map[string]string{"amount": amount, "currency": "EUR"}
}

// book sends a booking with a key. Its error is a service that cannot be reached.
func book(p *shop, path, key string, body, answer any) (status int, err error) {
	authorization, err := p.authorization()
	if err != nil {
		return 0, err
	}
	sent, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, p.Service("ledger").URL+path, bytes.NewReader(sent))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", authorization)
	req.Header.Set("Idempotency-Key", key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode, json.NewDecoder(resp.Body).Decode(answer)
}
