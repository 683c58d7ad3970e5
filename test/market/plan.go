package market

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"

	"github.com/google/uuid"
)

// The cards that are registered: one that pays, and one that is taken on file and declined when it is charged.
const (
	GoodCard  = "4111111111111111"
	SpentCard = "4000000000000341"
)

// soldOut is how many products there are to one of which there is no piece.
const soldOut = 25

// Plan is what a shop is filled with. The same plan is the same products, people and orders, and a larger one has those of a smaller
// one among them.
type Plan struct {
	Seed     uint64
	Products int
	Users    int
	Orders   int
	// People sets the users of one plan apart from those of another; default "seed".
	People string
}

// Product is one to be sold.
type Product struct {
	SKU, Name, Description string
	Cents                  int64
	Stock                  int
}

// User is somebody to be registered.
type User struct {
	Name, Email, Password string
	Card                  string
}

// Order is one to be placed. Its address tells it apart from all others.
type Order struct {
	User    int
	Items   []Item
	Invoice bool // or by card
	Address string
	Key     string
}

// Item is some pieces of a product.
type Item struct{ Product, Quantity int }

// rand is the source of randomness of one thing, which depends on nothing else.
func (p Plan) rand(kind string, i int) *rand.Rand {
	hash := fnv.New64a()
	_, _ = fmt.Fprintf(hash, "%s/%s", p.people(), kind)
	if kind == "product" { // whoever shops, shops the same things
		hash.Reset()
	}
	return rand.New(rand.NewPCG(p.Seed, hash.Sum64()^uint64(i)))
}

func (p Plan) people() string {
	if p.People == "" {
		return "seed"
	}
	return p.People
}

var (
	qualities = []string{"Plain", "Green", "Old", "Fine", "Small", "Great", "Blue", "Warm", "Quiet", "Light", "Sturdy", "Round", "Field", "Winter"}
	things    = []string{"teapot", "chair", "lamp", "notebook", "kettle", "blanket", "clock", "basket", "bowl", "pencil", "jar", "ladder", "mirror", "radio", "saddle", "tray"}
	first     = []string{"Ada", "Alan", "Barbara", "Edsger", "Frances", "Grace", "John", "Katherine", "Ken", "Leslie", "Lynn", "Niklaus", "Radia", "Rob", "Tony", "Xia"}
	last      = []string{"Adams", "Baker", "Carver", "Draper", "Ellis", "Fisher", "Gardner", "Hunter", "Mason", "Potter", "Smith", "Turner", "Walker", "Young"}
	streets   = []string{"Mill Lane", "Market Street", "Harbour Road", "Church Row", "Station Road", "Orchard Way"}
)

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

// Product gives the product of a number.
func (p Plan) Product(i int) Product {
	r := p.rand("product", i)
	quality, thing := pick(r, qualities), pick(r, things)
	product := Product{
		SKU: fmt.Sprintf("seed-%d-%05d", p.Seed, i), Name: quality + " " + thing, Cents: 99 + r.Int64N(19_900), Stock: 1000 + r.IntN(9000),
		Description: fmt.Sprintf("A %s as it should be, number %d of its kind.", thing, i+1),
	}
	if p.SoldOut(i) {
		product.Stock = 0
	}
	return product
}

// SoldOut tells whether there is no piece of a product.
func (p Plan) SoldOut(i int) bool { return i%soldOut == soldOut-1 }

// User gives the user of a number. One in twenty has a card that is declined.
func (p Plan) User(i int) User {
	r := p.rand("user", i)
	user := User{Name: pick(r, first) + " " + pick(r, last), Card: GoodCard}
	user.Email = fmt.Sprintf("%s-%d-%d@shop.example", p.people(), p.Seed, i)
	user.Password = fmt.Sprintf("not a secret: %s %d %d", p.people(), p.Seed, i)
	if i%20 == 19 {
		user.Card = SpentCard
	}
	return user
}

// Order gives the order of a number, of one to four products. One in four is on invoice.
func (p Plan) Order(i int) Order {
	r := p.rand("order", i)
	order := Order{User: i % p.Users, Invoice: r.IntN(4) == 0, Address: fmt.Sprintf("Box %d, %d %s", i, 1+r.IntN(99), pick(r, streets))}
	for _, product := range r.Perm(p.Products)[:min(p.Products, 1+r.IntN(4))] {
		if p.SoldOut(product) && r.IntN(2) == 0 {
			continue // half of those that could not be delivered are not even tried
		}
		order.Items = append(order.Items, Item{Product: product, Quantity: 1 + r.IntN(3)})
	}
	if order.Items == nil {
		order.Items = []Item{{Product: 0, Quantity: 1}}
	}
	order.Key = p.Key("order", i)
	return order
}

// space is what the keys are named in.
var space = uuid.MustParse("5f0c6f0e-7a39-4d2e-9f0b-52b8f7b8a001")

// Key is the Idempotency-Key of the wish of a number.
func (p Plan) Key(kind string, i int) string {
	name := binary.BigEndian.AppendUint64(nil, p.Seed)
	return uuid.NewSHA1(space, fmt.Appendf(name, "%s/%s/%d", p.people(), kind, i)).String()
}
