package compose_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/trellis-mesh/trellis/chassis/compose"
)

func ExampleAll() {
	var name string
	missing, err := compose.All(context.Background(),
		compose.Part{Name: "user", Get: func(context.Context) error {
			name = "Ada"
			return nil
		}},
		compose.Part{Name: "payments", Get: func(context.Context) error {
			return errors.New("connection refused")
		}},
	)
	fmt.Println(name, missing, err)
	// Output: Ada [payments] <nil>
}
