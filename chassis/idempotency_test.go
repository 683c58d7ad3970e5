package chassis

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/idempotency"
)

const keyContract = `
openapi: 3.0.3
info: {title: shop, version: 1.0.0}
paths:
  /v1/orders:
    post:
      operationId: createOrder
      responses: {"201": {description: created}}
`

func TestARepeatedRequestHasOneEffect(t *testing.T) {
	calls := 0
	spec := Spec{Name: "shop", Database: true, Contract: []byte(keyContract)}
	s, stop := serving(t, spec, func(ctx context.Context, s *Service) error {
		db, err := s.Database(ctx, nil)
		if err != nil {
			return err
		}
		if err := s.Idempotency(ctx, db, idempotency.Options{Required: []string{"createOrder"}}); err != nil {
			return err
		}
		s.Router().POST("/v1/orders", func(c *gin.Context) {
			calls++
			c.Status(http.StatusCreated)
		})
		return nil
	}, Options{Environ: environment("APP_DATABASE_URL=sqlite://:memory:")})
	for range 2 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.Addr()+"/v1/orders", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Idempotency-Key", "k")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusCreated {
			t.Errorf("status %d, want 201", answer.StatusCode)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if calls != 1 {
		t.Errorf("the handler was called %d times, want once", calls)
	}
}

func TestIdempotencyIsNotLeftOutUnnoticed(t *testing.T) {
	for want, wire := range map[string]func(*Service) string{
		"no operation createOrders": func(*Service) string { return "createOrders" },
		"call Idempotency before": func(s *Service) string {
			s.Router().POST("/v1/orders", func(*gin.Context) {})
			return "createOrder"
		},
	} {
		spec := Spec{Name: "shop", Database: true, Contract: []byte(keyContract)}
		err := Run(t.Context(), spec, func(ctx context.Context, s *Service) error {
			db, err := s.Database(ctx, nil)
			if err != nil {
				return err
			}
			return s.Idempotency(ctx, db, idempotency.Options{Optional: []string{wire(s)}})
		}, Options{Environ: environment("APP_DATABASE_URL=sqlite://:memory:")})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
