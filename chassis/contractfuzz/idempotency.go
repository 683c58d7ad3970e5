package contractfuzz

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
)

// Idempotency checks that every POST that creates something, or declares the Idempotency-Key header, has its effect once: sent again with
// the same key it gives the same answer, marked as replayed; eight at once have one answer between them; and a key that is used for another
// request is refused. At least one request of the service must succeed, so that there is an effect at all.
func Idempotency(t *testing.T, s Service) {
	t.Helper()
	h := start(t, s)
	var ids []string
	checked, succeeded := 0, 0
	for _, op := range h.all {
		if op.method != http.MethodPost || !op.declares(http.StatusCreated) && op.Parameters.GetByInAndName("header", "Idempotency-Key") == nil {
			continue
		}
		checked++
		first, err := h.repeat(t.Context(), op, ids)
		if err != nil {
			t.Errorf("%s (%s): %v", op, op.OperationID, err)
			continue
		}
		t.Logf("%s (%s): status %d, given again", op, op.OperationID, first.status)
		if first.status < 300 {
			succeeded++
			ids = append(ids, idsOf(first.body)...)
		}
	}
	if checked == 0 || succeeded == 0 {
		t.Errorf("%d operations were checked, of which %d succeeded: there is nothing that was done once", checked, succeeded)
	}
}

// told is an answer.
type told struct {
	status   int
	body     []byte
	replayed bool
}

// repeat sends what the contract asks for, again and again.
func (h *harness) repeat(ctx context.Context, op *operation, ids []string) (first told, err error) {
	all := []*operation{op}
	h.count++
	key := fmt.Sprintf("idempotency-%d", h.count)
	request := compose(all, choices{}, ids, h.count)
	if first, err = h.ask(ctx, request, key); err != nil {
		return first, err
	}
	if first.status >= 500 || first.replayed {
		return first, fmt.Errorf("the first request: status %d, replayed %t: %s", first.status, first.replayed, shortened(string(first.body)))
	}
	again, err := h.ask(ctx, request, key)
	if err != nil {
		return first, err
	}
	if !again.replayed || again.status != first.status || string(again.body) != string(first.body) {
		return first, fmt.Errorf("said again: status %d, replayed %t: %s; first: status %d: %s",
			again.status, again.replayed, again.body, first.status, first.body)
	}
	if len(op.media) > 0 {
		other := *request
		for n := byte(1); other.body == request.body && n < 255; n++ {
			other = *compose(all, choices{rest: slices.Concat([]byte{0, 0, 0, 0, 0, 0}, slices.Repeat([]byte{n}, 64))}, ids, h.count)
		}
		refused, err := h.ask(ctx, &other, key)
		if err != nil {
			return first, err
		}
		if refused.status != http.StatusUnprocessableEntity || codeOf(refused.body) != "idempotency_key_reused" {
			return first, fmt.Errorf("the key for another request: status %d: %s\n%s", refused.status, refused.body, &other)
		}
	}
	return first, h.atOnce(ctx, compose(all, choices{}, ids, h.count), key+"-at-once")
}

// atOnce sends a request eight times at the same time.
func (h *harness) atOnce(ctx context.Context, request *call, key string) error {
	answers, errs := make([]told, 8), make([]error, 8)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { answers[i], errs[i] = h.ask(ctx, request, key) })
	}
	group.Wait()
	var one *told
	fresh := 0
	for i, answer := range answers {
		switch {
		case errs[i] != nil:
			return errs[i]
		case answer.status == http.StatusConflict && codeOf(answer.body) == "idempotency_in_progress":
			continue
		case one == nil:
			one = &answers[i]
		case answer.status != one.status || string(answer.body) != string(one.body):
			return fmt.Errorf("of eight at once, one is told %d %s, and another %d %s", one.status, one.body, answer.status, answer.body)
		}
		if !answer.replayed {
			fresh++
		}
	}
	if fresh != 1 {
		return fmt.Errorf("of eight at once, %d were carried out", fresh)
	}
	return nil
}

// ask sends a request with a key.
func (h *harness) ask(ctx context.Context, request *call, key string) (told, error) {
	req := request.request(ctx, h.base, h.authorization)
	if req == nil {
		return told{}, fmt.Errorf("nobody can send\n%s", request)
	}
	req.Header.Set("Idempotency-Key", key)
	resp, err := h.client.Do(req)
	if err != nil {
		return told{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, largest))
	return told{resp.StatusCode, body, resp.Header.Get("Idempotency-Replayed") == "true"}, err
}
