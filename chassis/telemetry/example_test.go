package telemetry_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

func Example() {
	ctx := context.Background()
	tel, err := telemetry.New(ctx, telemetry.Options{Service: "orders", Output: os.Stderr})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, span := tel.Tracer("orders").Start(ctx, "reserve stock")
	tel.Log.InfoContext(ctx, "stock reserved", slog.Int("items", 3)) // with the trace's id
	span.End()
	if err := tel.Shutdown(ctx); err != nil {
		fmt.Println(err)
	}
}

func ExampleNewHandler() {
	log := slog.New(withoutTime{telemetry.NewHandler(os.Stdout, slog.LevelInfo)})
	ctx := telemetry.WithIDs(context.Background(), telemetry.IDs{Request: "r-1"})
	log.InfoContext(ctx, "paid with 4111 1111 1111 1111", slog.Int("amount", 17), slog.String("card_number", "4111111111111111"))
	// Output: {"level":"INFO","msg":"paid with [redacted]","request_id":"r-1","amount":17,"card_number":"[redacted]"}
}

// withoutTime keeps the example's output the same.
type withoutTime struct{ *telemetry.Handler }

func (h withoutTime) Handle(ctx context.Context, r slog.Record) error {
	r.Time = time.Time{}
	return h.Handler.Handle(ctx, r)
}
