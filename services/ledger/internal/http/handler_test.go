package http

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/chassis/auth/authtest"
	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/eventstore"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/idempotency"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/services/ledger/api"
	"github.com/trellis-mesh/trellis/services/ledger/internal/app"
	"github.com/trellis-mesh/trellis/services/ledger/internal/domain"
	"github.com/trellis-mesh/trellis/services/ledger/internal/store"
	"github.com/trellis-mesh/trellis/services/ledger/migrations"
)

// service is the API as the service has it, contract validation and idempotency keys included.
type service struct {
	http.Handler
	accounts *store.Store
	keys     atomic.Int64
}

func newService(t testing.TB) *service {
	t.Helper()
	s, err := serve(databasetest.New(t, migrations.FS), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serve makes the service on a database that has its own tables. Around, if it is not nil, is around what the service does with
// accounts.
func serve(db *database.DB, around func(app.Store) app.Store) (*service, error) {
	ctx := context.Background()
	for _, tables := range []fs.FS{eventstore.Migrations(), idempotency.Migrations()} {
		if err := database.Migrate(ctx, db, tables); err != nil {
			return nil, err
		}
	}
	tel, err := telemetry.New(ctx, telemetry.Options{Service: "ledger", Output: io.Discard})
	if err != nil {
		return nil, err
	}
	server, err := httpserver.New(httpserver.Options{Contract: api.Contract, Authorize: authtest.Anybody, Telemetry: tel})
	if err != nil {
		return nil, err
	}
	keys, err := idempotency.New(db, idempotency.Options{Required: []string{"openAccount", "deposit", "withdraw"}, Log: tel.Log})
	if err != nil {
		return nil, err
	}
	server.Router().Use(keys.Middleware)
	s := &service{}
	if s.accounts, err = store.New(db, store.Options{Log: tel.Log, Projector: eventstore.ProjectorOptions{Poll: 5 * time.Millisecond}}); err != nil {
		return nil, err
	}
	var kept app.Store = s.accounts
	if around != nil {
		kept = around(kept)
	}
	api.Register(server.Router(), New(app.New(kept)))
	s.Handler = server.Handler()
	return s, nil
}

// project keeps the read models up to date until the test ends.
func (s *service) project(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.accounts.Projector().Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func (s *service) send(method, path, body, key string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// call sends a request, a POST with a key of its own, and reads the JSON answer into out, after it has checked the status.
func (s *service) call(t *testing.T, method, path, body string, status int, out any) {
	t.Helper()
	key := ""
	if method == "POST" {
		key = fmt.Sprint("key-", s.keys.Add(1))
	}
	w := s.send(method, path, body, key)
	if w.Code != status {
		t.Fatalf("%s %s: status %d, want %d; %s", method, path, w.Code, status, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
	}
}

func (s *service) refused(t *testing.T, method, path, body string, status int, code string) {
	t.Helper()
	var got problem.Problem
	if s.call(t, method, path, body, status, &got); got.Code != code {
		t.Errorf("%s %s: code %q, want %q", method, path, got.Code, code)
	}
}

func newBooking(amount, currency string) string {
	return fmt.Sprintf(`{"amount": {"amount": %q, "currency": %q}, "text": "rent"}`, amount, currency)
}

func (s *service) open(t *testing.T, amount string) api.Account {
	t.Helper()
	var opened api.Account
	body := fmt.Sprintf(`{"owner": "ada", "opening": {"amount": %q, "currency": "EUR"}}`, amount)
	s.call(t, "POST", "/v1/accounts", body, http.StatusCreated, &opened)
	return opened
}

func TestAnAccountIsTheSumOfItsEvents(t *testing.T) {
	s := newService(t)
	s.project(t)
	opened := s.open(t, "1000")
	if opened.ID == "" || opened.Owner != "ada" || opened.Version != 1 || opened.OpenedAt.IsZero() {
		t.Errorf("opened %+v", opened)
	}
	path := "/v1/accounts/" + opened.ID
	var deposited, withdrawn, now, before api.Account
	s.call(t, "POST", path+"/deposits", newBooking("500", "EUR"), http.StatusOK, &deposited)
	var statement api.Statement
	s.call(t, "GET", path+"/statement?since=2", "", http.StatusOK, &statement)
	s.call(t, "POST", path+"/withdrawals", newBooking("200", "EUR"), http.StatusOK, &withdrawn)
	s.call(t, "GET", path, "", http.StatusOK, &now)
	if withdrawn != now || now.Balance != (api.Money{Amount: "1300", Currency: "EUR"}) || now.Version != 3 {
		t.Errorf("withdrawn %+v, now %+v", withdrawn, now)
	}
	if deposited.Balance.Amount != "1500" || deposited.Version != 2 || !deposited.OpenedAt.Equal(opened.OpenedAt) {
		t.Errorf("deposited %+v", deposited)
	}

	if len(statement.Items) != 2 || statement.Items[0].Kind != api.Deposited || statement.Items[0].Text == nil || *statement.Items[0].Text != "rent" ||
		statement.Items[1].Kind != api.Opened || statement.Items[1].Text != nil {
		t.Fatalf("statement %+v", statement)
	}
	at := statement.Items[0].At // of the deposit
	s.call(t, "GET", path+"?at="+at.Format(time.RFC3339Nano), "", http.StatusOK, &before)
	if before.Balance.Amount != "1500" || before.Version != 2 {
		t.Errorf("as of %s it was %+v", at, before)
	}

	for _, since := range []string{"3", "3"} { // what was just booked is read, each time
		s.call(t, "GET", path+"/statement?limit=1&since="+since, "", http.StatusOK, &statement)
		if len(statement.Items) != 1 || statement.Items[0].Version != 3 || statement.Items[0].Balance.Amount != "1300" {
			t.Errorf("statement %+v", statement)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := newService(t)
	s.project(t)
	path := "/v1/accounts/" + s.open(t, "100").ID
	s.refused(t, "POST", path+"/withdrawals", newBooking("100.01", "EUR"), http.StatusUnprocessableEntity, "insufficient_funds")
	s.refused(t, "POST", path+"/withdrawals", newBooking("1", "USD"), http.StatusUnprocessableEntity, "currency_differs")
	s.refused(t, "POST", path+"/deposits", newBooking("0", "EUR"), http.StatusUnprocessableEntity, "amount_invalid")
	s.refused(t, "POST", path+"/deposits", newBooking("0.001", "EUR"), http.StatusUnprocessableEntity, "amount_invalid")
	s.refused(t, "POST", "/v1/accounts/unknown/deposits", newBooking("1", "EUR"), http.StatusNotFound, "account_not_found")
	s.refused(t, "GET", "/v1/accounts/unknown", "", http.StatusNotFound, "account_not_found")
	s.refused(t, "GET", path+"?at=2020-01-01T00:00:00Z", "", http.StatusNotFound, "account_not_found")
	s.refused(t, "GET", "/v1/accounts/unknown/statement", "", http.StatusNotFound, "account_not_found")
	s.refused(t, "GET", "/v1/accounts/unknown/statement?since=1", "", http.StatusNotFound, "account_not_found")
	s.refused(t, "GET", path+"/statement?since=2", "", http.StatusUnprocessableEntity, "version_unknown")
	w := s.send("POST", path+"/deposits", newBooking("1", "EUR"), "")
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "idempotency_key_missing") {
		t.Errorf("without a key: %d %s", w.Code, w.Body)
	}
	var account api.Account
	if s.call(t, "GET", path, "", http.StatusOK, &account); account.Version != 1 || account.Balance.Amount != "100" {
		t.Errorf("account %+v", account)
	}
}

func TestAStatementThatIsNotThereYetSaysSo(t *testing.T) {
	s := newService(t) // nobody builds the read models
	path := "/v1/accounts/" + s.open(t, "100").ID
	for _, query := range []string{"", "?since=1"} {
		w := s.send("GET", path+"/statement"+query, "", "")
		if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), `"not_yet"`) || w.Header().Get("Retry-After") != "1" {
			t.Errorf("%q: %d %v %s", query, w.Code, w.Header(), w.Body)
		}
	}
}

func TestARepeatedBookingIsBookedOnce(t *testing.T) {
	s := newService(t)
	path := "/v1/accounts/" + s.open(t, "1000").ID
	var group sync.WaitGroup
	var answered atomic.Int32
	for range 8 {
		group.Go(func() {
			w := s.send("POST", path+"/withdrawals", newBooking("100", "EUR"), "again")
			switch {
			case w.Code == http.StatusOK && strings.Contains(w.Body.String(), `"900"`):
				answered.Add(1)
			case w.Code == http.StatusConflict && strings.Contains(w.Body.String(), "idempotency_in_progress"):
			default:
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	group.Wait()
	var account api.Account
	if s.call(t, "GET", path, "", http.StatusOK, &account); account.Version != 2 || answered.Load() == 0 {
		t.Errorf("account %+v; %d were answered", account, answered.Load())
	}
	if w := s.send("POST", path+"/withdrawals", newBooking("100.0", "EUR"), "again"); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("the key is good for another booking: %d %s", w.Code, w.Body)
	}
}

// crashing is a store whose process dies as soon as a change is committed.
type crashing struct {
	app.Store
	dies *atomic.Bool
}

func (c crashing) Create(ctx context.Context, id string, event domain.AccountCreated, keep store.Keep) error {
	err := c.Store.Create(ctx, id, event, keep)
	c.die()
	return err
}

func (c crashing) Change(ctx context.Context, id string, decide store.Decide, keep store.Keep) error {
	err := c.Store.Change(ctx, id, decide, keep)
	c.die()
	return err
}

func (c crashing) die() {
	if c.dies.Load() {
		panic("it dies")
	}
}

func TestACrashRightAfterABookingKeepsItsAnswer(t *testing.T) {
	var dies atomic.Bool
	s, err := serve(databasetest.New(t, migrations.FS), func(s app.Store) app.Store { return crashing{s, &dies} })
	if err != nil {
		t.Fatal(err)
	}
	path := "/v1/accounts/" + s.open(t, "1000").ID
	for i, booking := range []struct {
		path, body string
		status     int
		version    int64
	}{
		{"/v1/accounts", `{"owner": "bob", "opening": {"amount": "1", "currency": "EUR"}}`, http.StatusCreated, 1},
		{path + "/deposits", newBooking("500", "EUR"), http.StatusOK, 2},
		{path + "/withdrawals", newBooking("200", "EUR"), http.StatusOK, 3},
	} {
		key := fmt.Sprint("crash-", i)
		dies.Store(true)
		if w := s.send("POST", booking.path, booking.body, key); w.Code != http.StatusInternalServerError {
			t.Errorf("%s: %d %s", booking.path, w.Code, w.Body)
		}
		dies.Store(false)
		w := s.send("POST", booking.path, booking.body, key)
		var answer api.Account
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != booking.status || answer.Version != booking.version ||
			w.Header().Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s, repeated: %d %s, %v", booking.path, w.Code, w.Body, err)
		}
	}
	if err := s.accounts.Projector().CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	var page api.BalancePage
	if s.call(t, "GET", "/v1/balances", "", http.StatusOK, &page); len(page.Items) != 2 || page.Items[0].Balance.Amount != "1300" {
		t.Errorf("balances %+v", page.Items)
	}
}

func TestABusyAccountKeepsNoKey(t *testing.T) {
	var busy atomic.Bool
	s, err := serve(databasetest.New(t, migrations.FS), func(s app.Store) app.Store { return contended{s, &busy} })
	if err != nil {
		t.Fatal(err)
	}
	path := "/v1/accounts/" + s.open(t, "1000").ID + "/deposits"
	busy.Store(true)
	if w := s.send("POST", path, newBooking("1", "EUR"), "again"); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "account_busy") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	busy.Store(false)
	if w := s.send("POST", path, newBooking("1", "EUR"), "again"); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// contended is a store whose accounts others change all the time.
type contended struct {
	app.Store
	busy *atomic.Bool
}

func (c contended) Change(ctx context.Context, id string, decide store.Decide, keep store.Keep) error {
	if c.busy.Load() {
		return errors.Join(store.ErrBusy, eventstore.ErrConflict)
	}
	return c.Store.Change(ctx, id, decide, keep)
}

func TestBalancesComeInPages(t *testing.T) {
	s := newService(t)
	var want []string
	for range 3 {
		want = append(want, s.open(t, "12.50").ID)
	}
	if err := s.accounts.Projector().CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for after, pages := "", 0; ; pages++ {
		if pages > 2 {
			t.Fatal("the pages do not end")
		}
		var page api.BalancePage
		query := "?limit=2"
		if after != "" {
			query += "&after=" + after
		}
		s.call(t, "GET", "/v1/balances"+query, "", http.StatusOK, &page)
		for _, b := range page.Items {
			if b.Owner != "ada" || b.Balance != (api.Money{Amount: "12.50", Currency: "EUR"}) {
				t.Errorf("balance %+v", b)
			}
			got = append(got, b.ID)
		}
		if page.Next == nil {
			break
		}
		after = *page.Next
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("listed %v, want %v", got, want)
	}
}
