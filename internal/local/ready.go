package local

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// waitReady waits until the service answers that it is ready. The error says which dependency isn't, or how the process ended.
func (r *run) waitReady(ctx context.Context, limit time.Duration) error {
	return r.waitAnswer(ctx, limit, r.process.URL+"/health/ready")
}

// waitAnswer is waitReady for what says so at that URL.
func (r *run) waitAnswer(ctx context.Context, limit time.Duration, url string) error {
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	last := "it does not answer on " + strings.TrimSuffix(url, "/health/ready")
	for {
		ready, why := probe(ctx, client, url)
		if ready {
			return nil
		}
		if why != "" && ctx.Err() == nil {
			last = why
		}
		select {
		case <-r.done:
			return fmt.Errorf("%s %s", r.process.Name, r.outcome())
		case <-ctx.Done():
			if outer.Err() != nil {
				return fmt.Errorf("wait for %s: %w", r.process.Name, outer.Err())
			}
			return fmt.Errorf("%s is not ready after %s: %s%s", r.process.Name, limit, last, r.log)
		case <-tick.C:
		}
	}
}

// probe asks once; why is empty when there was no answer.
func probe(ctx context.Context, client *http.Client, url string) (ready bool, why string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false, err.Error()
	}
	res, err := client.Do(req)
	if err != nil {
		return false, ""
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return false, ""
	}
	if res.StatusCode == http.StatusOK {
		return true, ""
	}
	return false, cmp.Or(notReady(body), fmt.Sprintf("%s answers %d", url, res.StatusCode))
}

// notReady names the dependencies that a health answer says are not well.
func notReady(body []byte) string {
	var answer struct {
		Checks map[string]struct {
			Status string `json:"status"`
			Reason string `json:"reason"`
		} `json:"checks"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(answer.Checks)) {
		if c := answer.Checks[name]; c.Status != "UP" {
			out = append(out, name+": "+cmp.Or(c.Reason, c.Status))
		}
	}
	return strings.Join(out, "; ")
}
