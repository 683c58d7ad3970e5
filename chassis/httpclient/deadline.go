package httpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"sync"
	"time"
)

// withDeadline bounds the whole call, until its body is closed, by o.Timeout or the caller's nearer deadline.
func withDeadline(o Options, next tripper) tripper {
	return func(r *http.Request) (*http.Response, error) {
		if err := r.Context().Err(); err != nil {
			return refuse(r, err)
		}
		ctx, cancel := context.WithTimeout(r.Context(), o.Timeout)
		resp, err := next(r.WithContext(ctx))
		if err != nil {
			cancel()
			return nil, err
		}
		resp.Body = &body{ReadCloser: resp.Body, left: o.MaxBody, done: cancel, failure: func(err error) error { return o.wrap(r, err) }}
		return resp, nil
	}
}

// withPerTry cuts off an attempt whose headers do not come within perTry. Once they are there, only the deadline of the
// call bounds the body: it is too late for another try.
func withPerTry(perTry time.Duration, next tripper) tripper {
	if perTry == 0 {
		return next
	}
	return func(r *http.Request) (*http.Response, error) {
		ctx, cancel := context.WithCancel(r.Context())
		timer := time.AfterFunc(perTry, cancel)
		resp, err := next(r.WithContext(ctx))
		if late := !timer.Stop() && r.Context().Err() == nil; late {
			if err == nil {
				_ = resp.Body.Close()
			}
			err = fmt.Errorf("no answer within %v: %w", perTry, context.DeadlineExceeded)
		}
		if err != nil {
			cancel()
			return nil, err
		}
		resp.Body = &body{ReadCloser: resp.Body, left: unlimited, done: cancel}
		return resp, nil
	}
}

// ErrTooLarge is what reading an answer gives once it is larger than Options.MaxBody.
var ErrTooLarge = errors.New("the answer is larger than the client's limit")

// unlimited is more than any body has.
const unlimited = math.MaxInt64

// body is an answer's body that fails after left bytes and tells when it is over: read to its end, failed or closed.
type body struct {
	io.ReadCloser
	left    int64
	failure func(error) error // names the callee; nil leaves errors as they are
	done    func()
	once    sync.Once
}

func (b *body) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left {
		p = p[:b.left+1] // the byte too many tells a full answer from a larger one
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		n, err = n-1, ErrTooLarge
		b.left = 0
	}
	if err == nil {
		return n, nil
	}
	if !errors.Is(err, io.EOF) && b.failure != nil {
		err = b.failure(err)
	}
	b.once.Do(b.done)
	return n, err
}

func (b *body) Close() error {
	defer b.once.Do(b.done)
	return b.ReadCloser.Close()
}
