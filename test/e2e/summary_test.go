package e2e

import (
	"net/http"
	"testing"
	"time"
)

// wantSummary asks users for what a customer has ordered, once it knows of each of the completed orders.
func wantSummary(t *testing.T, p *shop, customer string, completed []string, settled int64, amount string) {
	t.Helper()
	var got struct {
		OrderCount, Version int64
		TotalSpent          []struct{ Amount, Currency string }
		LastOrderDate       time.Time
	}
	for i, order := range completed {
		eventually(t, 30*time.Second, "users knows of the order", func() bool {
			return get(t, p, "users", "/v1/users/"+customer+"/summary?since="+order, &got) == http.StatusOK
		})
		if got.OrderCount < 1 || i == len(completed)-1 && got.OrderCount != int64(len(completed)) || got.LastOrderDate.IsZero() {
			t.Errorf("the summary that knows of order %d is %+v", i+1, got)
		}
	}
	eventually(t, 30*time.Second, "users knows of all orders", func() bool {
		return get(t, p, "users", "/v1/users/"+customer+"/summary", &got) == http.StatusOK && got.Version == settled
	})
	if len(got.TotalSpent) != 1 || got.TotalSpent[0].Amount != amount || got.TotalSpent[0].Currency != "EUR" {
		t.Errorf("the summary of %d orders is %+v", settled, got)
	}
}
