package proof

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// What mesh/base/gateway.yaml has each replica of the gateway take.
const (
	gatewayBurst  = 1000
	gatewaySecond = 500
)

// roomyPath is of an operation that anybody outside may ask for, of a service with room for many at once.
const roomyPath = "/oauth/token"

// rateLimit asks the gateway for more than it takes.
func rateLimit(m *mesh) (string, error) {
	const senders, most = 16, 30_000
	client := m.visitor()
	defer client.CloseIdleConnections()
	m.caller("users").app.forget()
	var sent, taken, refused atomic.Int64
	var mu sync.Mutex
	var wrong error
	var last answer
	begin := time.Now()
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			for refused.Load() < 200 && sent.Add(1) <= most {
				switch a := m.visit(client, m.declared.Gateway.Hosts[0], http.MethodPost, roomyPath, ""); a.status {
				case http.StatusOK:
					taken.Add(1)
				case http.StatusTooManyRequests:
					refused.Add(1)
					mu.Lock()
					last = a
					mu.Unlock()
				default:
					mu.Lock()
					wrong = fmt.Errorf("%w: a request got %s", errWrong, a.detail())
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	took := time.Since(begin)
	figure := fmt.Sprintf("%d of %d requests in %v get 429", refused.Load(), taken.Load()+refused.Load(), took.Round(time.Millisecond))
	switch arrived := m.count("users", http.MethodPost, roomyPath); {
	case wrong != nil:
		return "", wrong
	case refused.Load() == 0:
		return "", fmt.Errorf("%w: %s", errWrong, figure)
	case float64(taken.Load()) > gatewayBurst+gatewaySecond*(took.Seconds()+1):
		return "", fmt.Errorf("%w: %s, which lets %d through", errWrong, figure, taken.Load())
	case arrived != int(taken.Load()):
		return "", fmt.Errorf("%w: %d requests were taken and %d arrived", errWrong, taken.Load(), arrived)
	case last.header.Get("X-Ratelimit-Limit") == "":
		return "", fmt.Errorf("%w: an answer with 429 does not say what the limit is", errWrong)
	}
	return figure, nil
}
