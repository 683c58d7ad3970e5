package shop

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/contracts/money"
)

// books are the databases of the services. Only a test may look into them.
type books struct {
	of    map[string]*database.DB
	stock map[string]int // what was there of each product
}

func openBooks(t *testing.T, url func(service string) string, stock map[string]int) *books {
	t.Helper()
	b := &books{of: map[string]*database.DB{}, stock: stock}
	for _, service := range []string{"orders", "inventory", "payments", "shipping", "legacy"} {
		db, err := database.Open(t.Context(), url(service), database.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		b.of[service] = db
	}
	return b
}

// entry is an order with all that the services have written of it.
type entry struct {
	ID            string
	Status        string
	Fulfilment    string
	TotalAmount   string
	TotalCurrency string
	PaymentMethod string
	BillStatus    string

	cents      int64
	items      map[string]int
	charges    []int64 // in cents, at the payment gateway and not given back
	unanswered bool    // payments has asked the gateway in vain
	stock      string
	parcel     string
}

// ledger is the state of all books.
type ledger struct {
	orders   map[string]*entry
	refunds  int64    // at the payment gateway
	problems []string // what is open, or does not fit
}

func (l *ledger) problem(format string, args ...any) {
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
}

// read reads all books; what it tells is true for good only when nothing is open any more.
func (b *books) read(ctx context.Context) (*ledger, error) {
	l := &ledger{orders: map[string]*entry{}}
	for _, step := range []func(context.Context, *ledger) error{b.readOrders, b.readCharges, b.readStates, b.readStock, b.readOpen} {
		if err := step(ctx, l); err != nil {
			return nil, err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(l.orders)) {
		l.check(l.orders[id])
	}
	return l, nil
}

func (b *books) readOrders(ctx context.Context, l *ledger) error {
	var orders []*entry
	err := b.of["orders"].NewSelect().Table("orders").Column("id", "status", "fulfilment", "total_amount", "total_currency", "payment_method", "bill_status").Scan(ctx, &orders)
	if err != nil {
		return err
	}
	for _, o := range orders {
		total, err := money.New(o.TotalAmount, o.TotalCurrency)
		if err != nil {
			return err
		}
		if o.cents, err = total.Minor(); err != nil {
			return err
		}
		o.items = map[string]int{}
		l.orders[o.ID] = o
	}
	var items []struct {
		OrderID, ProductID string
		Quantity           int
	}
	if err := b.of["orders"].NewSelect().Table("order_items").Column("order_id", "product_id", "quantity").Scan(ctx, &items); err != nil {
		return err
	}
	for _, i := range items {
		l.orders[i.OrderID].items[i.ProductID] += i.Quantity
	}
	return nil
}

// readCharges asks the gateway's book, which is the truth about money, whose charges there are.
func (b *books) readCharges(ctx context.Context, l *ledger) error {
	var payments []struct {
		OrderID, ID, Status string
		Unanswered          bool
	}
	if err := b.of["payments"].NewSelect().Table("payments").Column("order_id", "id", "status", "unanswered").Scan(ctx, &payments); err != nil {
		return err
	}
	orderOf := map[string]string{}
	for _, p := range payments {
		orderOf[p.ID], _, _ = strings.Cut(p.OrderID, ".") // an invoice that is paid later has the number of the attempt
		if o := l.orders[orderOf[p.ID]]; o != nil && p.Unanswered {
			o.unanswered = true
		}
		if p.Status == "pending" || p.Status == "promised" || p.Status == "refunding" {
			l.problem("order %s: its payment is %s", p.OrderID, p.Status)
		}
	}
	var charges []struct {
		Reference   string
		AmountCents int64
	}
	query := b.of["legacy"].NewSelect().Table("payments").Column("reference", "amount_cents").Where("status_code = 200").Where("amount_cents > 0")
	if err := query.Where("refunded_at IS NULL").Scan(ctx, &charges); err != nil {
		return err
	}
	for _, c := range charges {
		id, _, _ := strings.Cut(c.Reference, ".") // a charge that is asked for anew has a number
		if o := l.orders[orderOf[id]]; o != nil {
			o.charges = append(o.charges, c.AmountCents)
		} else {
			l.problem("%d cents are charged for no order, under the reference %s", c.AmountCents, c.Reference)
		}
	}
	var err error
	l.refunds, err = b.of["legacy"].NewSelect().Table("payments").Where("refunded_at IS NOT NULL").Where("status_code = 200").Count(ctx)
	return err
}

func (b *books) readStates(ctx context.Context, l *ledger) error {
	for service, table := range map[string]string{"inventory": "reservations", "shipping": "shipments"} {
		var rows []struct{ OrderID, State string }
		if err := b.of[service].NewSelect().Table(table).Column("order_id", "state").Scan(ctx, &rows); err != nil {
			return err
		}
		for _, r := range rows {
			o := l.orders[r.OrderID]
			switch {
			case o == nil:
				l.problem("%s knows the order %s, which there is not", service, r.OrderID)
			case service == "inventory":
				o.stock = r.State
			default:
				o.parcel = r.State
			}
		}
	}
	return nil
}

func (b *books) readStock(ctx context.Context, l *ledger) error {
	var rows []struct {
		ProductID        string
		OnHand, Reserved int
	}
	if err := b.of["inventory"].NewSelect().Table("stock").Column("product_id", "on_hand", "reserved").Scan(ctx, &rows); err != nil {
		return err
	}
	for _, r := range rows {
		want := b.stock[r.ProductID]
		for _, o := range l.orders {
			if o.Status == "completed" {
				want -= o.items[r.ProductID]
			}
		}
		if r.OnHand != want || r.Reserved != 0 {
			l.problem("product %s: %d on hand and %d reserved, want %d and 0", r.ProductID, r.OnHand, r.Reserved, want)
		}
	}
	return nil
}

// readOpen finds what somebody has yet to do.
func (b *books) readOpen(ctx context.Context, l *ledger) error {
	for _, open := range []struct{ service, table, where string }{
		{"orders", "outbox", "published_at IS NULL"},
		{"inventory", "outbox", "published_at IS NULL"},
		{"payments", "outbox", "published_at IS NULL"},
		{"shipping", "outbox", "published_at IS NULL"},
		{"orders", "saga", "finished_at IS NULL"},
		{"orders", "twophase", "finished_at IS NULL"},
		{"inventory", "twophase_vote", "state = 'prepared'"},
		{"shipping", "twophase_vote", "state = 'prepared'"},
		{"payments", "transactions", "state = 'prepared'"},
		{"inventory", "pg_prepared_xacts", "true"},
	} {
		db := b.of[open.service]
		if strings.HasPrefix(open.table, "pg_") && db.Kind() != database.Postgres {
			continue
		}
		n, err := db.NewSelect().Table(open.table).Where(open.where).Count(ctx)
		if err != nil {
			return err
		}
		if n > 0 {
			l.problem("%s has %d rows in %s with %s", open.service, n, open.table, open.where)
		}
	}
	return nil
}

// check checks that the services have done for an order what its end asks for.
func (l *ledger) check(o *entry) {
	if o.BillStatus == "paying" {
		l.problem("order %s: its invoice is being paid", o.ID)
	}
	switch {
	case o.Status == "completed" && o.PaymentMethod == "invoice", o.Status == "cancelled":
		if len(o.charges) > 0 {
			l.problem("order %s (%s, %s) is charged %v cents, want nothing", o.ID, o.Status, o.Fulfilment, o.charges)
		}
	case o.Status == "completed":
		if !slices.Equal(o.charges, []int64{o.cents}) {
			l.problem("order %s (%s, %s) is charged %v cents, want once %d", o.ID, o.Status, o.Fulfilment, o.charges, o.cents)
		}
	default:
		l.problem("order %s (%s) is %s", o.ID, o.Fulfilment, o.Status)
		return
	}
	stock, parcel := []string{"taken"}, []string{"confirmed"}
	if o.Status == "cancelled" {
		stock, parcel = []string{"released", "absent", ""}, []string{"cancelled", "absent", ""}
	}
	if !slices.Contains(stock, o.stock) || !slices.Contains(parcel, o.parcel) {
		l.problem("order %s (%s, %s): its stock is %q and its shipment %q", o.ID, o.Status, o.Fulfilment, o.stock, o.parcel)
	}
}

// String is a table of the outcome.
func (l *ledger) String() string {
	var text strings.Builder
	var cents int64
	fmt.Fprintf(&text, "%-14s %9s %9s\n", "fulfilment", "completed", "cancelled")
	for _, way := range ways {
		fmt.Fprintf(&text, "%-14s %9d %9d\n", way, l.count(way, "completed"), l.count(way, "cancelled"))
	}
	for _, o := range l.orders {
		for _, c := range o.charges {
			cents += c
		}
	}
	bills := map[string]int{}
	for _, o := range l.orders {
		bills[o.BillStatus]++
	}
	fmt.Fprintf(&text, "invoices: %d paid, %d failed, %d undone\n", bills["paid"], bills["failed"], bills["undone"])
	fmt.Fprintf(&text, "charged %d.%02d EUR, %d charges given back\n", cents/100, cents%100, l.refunds)
	return text.String()
}

func (l *ledger) count(way, status string) (n int) {
	for _, o := range l.orders {
		if o.Fulfilment == way && o.Status == status {
			n++
		}
	}
	return n
}
