package flag_test

import (
	"context"
	"fmt"

	"github.com/trellis-mesh/trellis/chassis/flag"
)

func Example() {
	ctx := context.Background()
	flags, err := flag.Open(flag.Options{Set: []string{"orders.fulfilment=two-phase"}}) // in a service: s.Flags(ctx)
	if err != nil {
		panic(err)
	}
	defer func() { _ = flags.Close(ctx) }()
	fmt.Println(flags.String(ctx, "orders.fulfilment", "choreography", "order-1"))
	fmt.Println(flags.Bool(ctx, "checkout.fast", false, "ada")) // nobody has set it
	// Output:
	// two-phase
	// false
}
