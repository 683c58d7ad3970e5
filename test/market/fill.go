package market

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	catalogapi "github.com/trellis-mesh/trellis/services/catalog/api"
	inventoryapi "github.com/trellis-mesh/trellis/services/inventory/api"
	legacyapi "github.com/trellis-mesh/trellis/services/legacy/api"
	ordersapi "github.com/trellis-mesh/trellis/services/orders/api"
	paymentsapi "github.com/trellis-mesh/trellis/services/payments/api"
	usersapi "github.com/trellis-mesh/trellis/services/users/api"
)

const (
	currency = "EUR"
	invoice  = "invoice"
	page     = 200 // the greatest that a list gives
	complain = 5   // errors of a kind that are told in words
	tries    = 6   // of a request that the shop has no time for
)

// Options tune Fill. Every zero value is right for this machine.
type Options struct {
	Parallel int           // requests at once; default 8
	Settle   time.Duration // how long is waited for the orders to be completed or cancelled; default 60s, negative not at all
	Progress *Progress     // nil: none
}

// Progress is what Fill is about; it may be read at any time.
type Progress struct {
	phase atomic.Pointer[phase]
}

type phase struct {
	name  string
	of    int
	done  atomic.Int64
	began time.Time
}

// Now tells what is done: the name of the phase, how many of how many, and how many a second. The name is empty before the first one.
func (p *Progress) Now() (name string, done, of int, perSecond float64) {
	current := p.phase.Load()
	if current == nil {
		return "", 0, 0, 0
	}
	done = int(current.done.Load())
	return current.name, done, current.of, float64(done) / max(time.Since(current.began).Seconds(), 0.001)
}

// Counts is what became of things of a kind.
type Counts struct {
	Kind    string        `json:"kind"`
	Created int           `json:"created"`
	Kept    int           `json:"kept"` // they were there
	Failed  int           `json:"failed"`
	Took    time.Duration `json:"took"`
	Note    string        `json:"note,omitempty"`
	Errors  []string      `json:"errors,omitempty"` // the first ones
}

// Person is a user of the shop.
type Person struct {
	ID, Email, Password string
	Card                string // a payment method, empty when it could not be registered
}

// Filled is what the shop has of a plan by now.
type Filled struct {
	Products []string // ids by number; empty where it failed
	People   []Person // by number; without an id where it failed
	Report   []Counts
	// Outcomes are how many of the plan's orders have which status.
	Outcomes map[string]int
}

// Failed is how many things could not be made.
func (f *Filled) Failed() (n int) {
	for _, c := range f.Report {
		n += c.Failed
	}
	return n
}

// filling is one Fill.
type filling struct {
	Options

	shop      *Shop
	plan      Plan
	clients   Clients
	transport http.RoundTripper
	filled    *Filled
}

// Fill makes what the shop does not have of the plan yet, and leaves alone what it has: products by their SKU, users by their e-mail
// address, orders by the customer and the shipping address. What fails is counted, and does not keep the rest away; the error is one that
// leaves nothing to be done.
func Fill(ctx context.Context, shop *Shop, plan Plan, opt Options) (*Filled, error) {
	if opt.Parallel == 0 {
		opt.Parallel = 8
	}
	if opt.Settle == 0 {
		opt.Settle = time.Minute
	}
	if opt.Progress == nil {
		opt.Progress = &Progress{}
	}
	f := &filling{Options: opt, shop: shop, plan: plan, filled: &Filled{
		Products: make([]string, plan.Products), People: make([]Person, plan.Users), Outcomes: map[string]int{},
	}}
	f.transport = Patient{Next: shop.HTTP.Transport, Statuses: []int{http.StatusTooManyRequests, http.StatusServiceUnavailable}, Most: tries}
	var err error
	if f.clients, err = shop.Clients(f.transport, shop.Program(f.transport)); err != nil {
		return nil, err
	}
	known, err := f.known(ctx)
	if err != nil {
		return nil, err
	}
	f.each(ctx, "products", plan.Products, func(ctx context.Context, i int) (bool, error) { return f.product(ctx, i, known) })
	f.each(ctx, "stock", plan.Products, f.stock)
	if shop.Whole {
		f.each(ctx, "products of the monolith", plan.Products, f.monolith)
	} else {
		f.filled.Report = append(f.filled.Report, Counts{Kind: "products of the monolith", Note: "left out: the gateway lets nobody write there"})
	}
	f.each(ctx, "users", plan.Users, f.user)
	placed := make([]map[string]bool, plan.Users)
	f.each(ctx, "cards", plan.Users, func(ctx context.Context, i int) (made bool, err error) {
		placed[i], made, err = f.card(ctx, i)
		return made, err
	})
	f.each(ctx, "orders", plan.Orders, func(ctx context.Context, i int) (bool, error) { return f.order(ctx, i, placed) })
	if plan.Orders > 0 && opt.Settle > 0 {
		f.settle(ctx)
	}
	return f.filled, ctx.Err()
}

// each makes so many things of a kind, several at once, and counts what became of them.
func (f *filling) each(ctx context.Context, kind string, n int, create func(ctx context.Context, i int) (created bool, err error)) {
	if n == 0 {
		return
	}
	now := &phase{name: kind, of: n, began: time.Now()}
	f.Progress.phase.Store(now)
	counts := Counts{Kind: kind}
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(f.Parallel)
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			created, err := create(ctx, i)
			now.done.Add(1)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				if counts.Failed++; len(counts.Errors) < complain {
					counts.Errors = append(counts.Errors, fmt.Sprintf("number %d: %v", i, err))
				}
			case created:
				counts.Created++
			default:
				counts.Kept++
			}
			return nil
		})
	}
	_ = group.Wait()
	counts.Took = time.Since(now.began)
	f.filled.Report = append(f.filled.Report, counts)
}

// answered is what every answer of a generated client tells.
type answered interface {
	StatusCode() int
	Status() string
	GetBody() []byte
}

// unexpected is the error for an answer of another status than the wanted one.
func unexpected(answer answered) error {
	return fmt.Errorf("%s: %s", answer.Status(), answer.GetBody())
}

// carriedOut tells whether a request had an effect, and not an earlier one with the same key.
func carriedOut(response *http.Response) bool {
	return response.Header.Get("Idempotency-Replayed") == ""
}

var errEarlier = errors.New("what it needs failed before")

// known are the ids of the products that the shop has, by SKU.
func (f *filling) known(ctx context.Context) (map[string]string, error) {
	known, limit := map[string]string{}, page
	var after *string
	for {
		answer, err := f.clients.Catalog.ListProductsWithResponse(ctx, &catalogapi.ListProductsParams{Limit: &limit, After: after})
		if err != nil {
			return nil, fmt.Errorf("list the products: %w", err)
		}
		if answer.JSON200 == nil {
			return nil, fmt.Errorf("list the products: %w", unexpected(answer))
		}
		for _, product := range answer.JSON200.Items {
			known[product.Sku] = product.ID
		}
		if after = answer.JSON200.Next; after == nil {
			return known, nil
		}
	}
}

func (f *filling) product(ctx context.Context, i int, known map[string]string) (bool, error) {
	p := f.plan.Product(i)
	if f.filled.Products[i] = known[p.SKU]; f.filled.Products[i] != "" {
		return false, nil
	}
	key := f.plan.Key("product", i)
	answer, err := f.clients.Catalog.CreateProductWithResponse(ctx, &catalogapi.CreateProductParams{IdempotencyKey: &key}, catalogapi.NewProduct{
		Sku: p.SKU, Name: p.Name, Description: &p.Description, Price: catalogapi.Money{Amount: amount(p.Cents), Currency: currency},
	})
	if err != nil {
		return false, err
	}
	if answer.JSON201 == nil {
		return false, unexpected(answer)
	}
	f.filled.Products[i] = answer.JSON201.ID
	return carriedOut(answer.HTTPResponse), nil
}

// amount is an amount of cents as a decimal number.
func amount(cents int64) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }

// stock fills an empty shelf that is not meant to be empty.
func (f *filling) stock(ctx context.Context, i int) (bool, error) {
	id := f.filled.Products[i]
	if id == "" {
		return false, errEarlier
	}
	there, err := f.clients.Inventory.GetStockWithResponse(ctx, id)
	if err != nil {
		return false, err
	}
	if there.JSON200 == nil {
		return false, unexpected(there)
	}
	pieces := f.plan.Product(i).Stock
	if pieces == 0 || there.JSON200.OnHand > 0 {
		return false, nil
	}
	answer, err := f.clients.Inventory.SetStockWithResponse(ctx, id, inventoryapi.NewStock{OnHand: pieces})
	if err != nil {
		return false, err
	}
	if answer.JSON200 == nil {
		return false, unexpected(answer)
	}
	return true, nil
}

func (f *filling) monolith(ctx context.Context, i int) (bool, error) {
	id := f.filled.Products[i]
	if id == "" {
		return false, errEarlier
	}
	there, err := f.clients.Legacy.MonolithGetProductWithResponse(ctx, id)
	if err != nil {
		return false, err
	}
	if there.JSON200 != nil {
		return false, nil
	}
	p := f.plan.Product(i)
	answer, err := f.clients.Legacy.MonolithPutProductWithResponse(ctx, id, legacyapi.OldProduct{
		ProductID: id, ProductCode: p.SKU, Title: p.Name, LongText: &p.Description, PriceCents: p.Cents, CurrencyCode: currency,
	})
	if err != nil {
		return false, err
	}
	if answer.JSON200 == nil {
		return false, unexpected(answer)
	}
	return true, nil
}

func (f *filling) user(ctx context.Context, i int) (bool, error) {
	u := f.plan.User(i)
	key := f.plan.Key("user", i)
	answer, err := f.clients.Users.CreateUserWithResponse(ctx, &usersapi.CreateUserParams{IdempotencyKey: &key}, usersapi.NewUser{Name: u.Name, Email: u.Email, Password: &u.Password})
	if err != nil {
		return false, err
	}
	person := Person{Email: u.Email, Password: u.Password}
	switch {
	case answer.JSON201 != nil:
		person.ID = answer.JSON201.ID
	case answer.StatusCode() == http.StatusConflict: // only who logs in learns the id
		if person.ID, err = f.shop.Person(f.transport, u.Email, u.Password).Subject(ctx); err != nil {
			return false, err
		}
	default:
		return false, unexpected(answer)
	}
	f.filled.People[i] = person
	return answer.JSON201 != nil && carriedOut(answer.HTTPResponse), nil
}

// card registers a user's card, unless an order of the user was paid with one. It gives the addresses that the user has orders for.
func (f *filling) card(ctx context.Context, i int) (placed map[string]bool, made bool, err error) {
	person := &f.filled.People[i]
	if person.ID == "" {
		return nil, false, errEarlier
	}
	limit := page
	there, err := f.clients.Orders.ListOrdersWithResponse(ctx, &ordersapi.ListOrdersParams{CustomerID: person.ID, Limit: &limit})
	if err != nil {
		return nil, false, err
	}
	if there.JSON200 == nil {
		return nil, false, unexpected(there)
	}
	placed = map[string]bool{}
	for _, order := range there.JSON200.Items {
		if order.ShippingAddress != nil {
			placed[*order.ShippingAddress] = true
		}
		if order.PaymentMethod != nil && *order.PaymentMethod != invoice {
			person.Card = *order.PaymentMethod
		}
	}
	if len(there.JSON200.Items) == page {
		placed[""] = true // there may be more than a list gives
	}
	if person.Card != "" {
		return placed, false, nil
	}
	person.Card, made, err = f.register(ctx, *person, f.plan.User(i).Card, f.plan.Key("card", i))
	return placed, made, err
}

func (f *filling) register(ctx context.Context, person Person, number, key string) (id string, made bool, err error) {
	answer, err := f.clients.Payments.CreatePaymentMethodWithResponse(ctx, &paymentsapi.CreatePaymentMethodParams{IdempotencyKey: &key},
		paymentsapi.NewPaymentMethod{CustomerID: person.ID, Card: Card(number)})
	if err != nil {
		return "", false, err
	}
	if answer.JSON201 == nil {
		return "", false, unexpected(answer)
	}
	return answer.JSON201.ID, carriedOut(answer.HTTPResponse), nil
}

// Card is a card of a number that is good for long.
func Card(number string) paymentsapi.Card {
	return paymentsapi.Card{Number: number, ExpiryMonth: 12, ExpiryYear: 2099, Cvv: "123"}
}

func (f *filling) order(ctx context.Context, i int, placed []map[string]bool) (bool, error) {
	o := f.plan.Order(i)
	person := f.filled.People[o.User]
	if placed[o.User] == nil || person.Card == "" {
		return false, errEarlier
	}
	if placed[o.User][o.Address] || placed[o.User][""] {
		return false, nil
	}
	method, wish := invoice, ordersapi.NewOrder{CustomerID: person.ID, ShippingAddress: &o.Address}
	if !o.Invoice {
		method = person.Card
	}
	wish.PaymentMethod = &method
	for _, item := range o.Items {
		id := f.filled.Products[item.Product]
		if id == "" {
			return false, errEarlier
		}
		wish.Items = append(wish.Items, ordersapi.NewItem{ProductID: id, Quantity: item.Quantity})
	}
	answer, err := f.clients.Orders.CreateOrderWithResponse(ctx, &ordersapi.CreateOrderParams{IdempotencyKey: &o.Key}, wish)
	if err != nil {
		return false, err
	}
	if answer.JSON201 == nil {
		return false, unexpected(answer)
	}
	return carriedOut(answer.HTTPResponse), nil
}

// settle waits until the orders of all users are completed or cancelled, and counts those of the plan by what they are.
func (f *filling) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, f.Settle)
	defer cancel()
	mine := map[string]bool{}
	for i := range f.plan.Orders {
		mine[f.plan.Order(i).Address] = true
	}
	outcomes := make([]map[string]int, f.plan.Users)
	f.each(ctx, "orders settled, by user", f.plan.Users, func(ctx context.Context, i int) (bool, error) {
		for person := f.filled.People[i]; person.ID != ""; {
			limit, open := page, 0
			there, err := f.clients.Orders.ListOrdersWithResponse(ctx, &ordersapi.ListOrdersParams{CustomerID: person.ID, Limit: &limit})
			if err != nil {
				return false, err
			}
			if there.JSON200 == nil {
				return false, unexpected(there)
			}
			outcomes[i] = map[string]int{}
			for _, order := range there.JSON200.Items {
				if order.ShippingAddress == nil || !mine[*order.ShippingAddress] {
					continue
				}
				outcomes[i][string(order.Status)]++
				if order.Status == ordersapi.Confirmed {
					open++
				}
			}
			if open == 0 {
				return false, nil
			}
			select {
			case <-ctx.Done():
				return false, fmt.Errorf("%d orders are neither completed nor cancelled", open)
			case <-time.After(200 * time.Millisecond):
			}
		}
		return false, errEarlier
	})
	for _, of := range outcomes {
		for status, n := range of {
			f.filled.Outcomes[status] += n
		}
	}
}
