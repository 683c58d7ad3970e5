package proxy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/trellis-mesh/trellis/chassis/problem"
)

// Answer is what the client gets. Whoever has one sends it.
type Answer struct {
	Status int
	Header http.Header
	Body   io.ReadCloser
	Length int64 // of the body; negative when it is not known
	sent   func()
}

const (
	// firstPart is how much of a body must have come before its status is sent: a callee that breaks off before is told as a problem.
	firstPart = 8 << 10
	// maxProblem is how large a callee's problem may be.
	maxProblem = 64 << 10
)

// JSON is an answer of the gateway's own.
func JSON(status int, value any) (*Answer, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return &Answer{
		Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)), Length: int64(len(body)),
	}, nil
}

// usable gives a callee's answer if it is one of its contract.
func usable(resp *http.Response, service, path string) (*Answer, error) {
	a := &Answer{Status: resp.StatusCode, Header: back(resp.Header), Body: resp.Body, Length: resp.ContentLength}
	if a.Status >= 200 && a.Status < 300 || a.Status == http.StatusNotModified {
		return a, nil
	}
	defer func() { _ = resp.Body.Close() }()
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if a.Status < http.StatusBadRequest || kind != problem.ContentType {
		return nil, Unusable(service, a.Status, resp.Header, fmt.Errorf("%s answered %d, of type %q", service, a.Status, kind))
	}
	body, err := withInstance(resp.Body, path)
	if err != nil {
		return nil, Unusable(service, 0, nil, fmt.Errorf("read the problem of %s: %w", service, err))
	}
	a.Header.Set("Content-Type", problem.ContentType)
	a.Body, a.Length = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return a, nil
}

// withInstance is a callee's problem as one of the path that the client asked for, since it does not know the callee's.
func withInstance(body io.Reader, path string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(body, maxProblem+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxProblem {
		return nil, fmt.Errorf("it has more than %d bytes", maxProblem)
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, err
	}
	if members["instance"], err = json.Marshal(path); err != nil {
		return nil, err
	}
	return json.Marshal(members)
}

// Watch has done called with the body once all of it was sent: as nil, and false, if it has more than limit bytes.
func (a *Answer) Watch(limit int, done func(body []byte, whole bool)) {
	seen := &prefix{limit: limit}
	a.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(a.Body, seen), a.Body}
	a.sent = func() {
		if seen.over {
			done(nil, false)
			return
		}
		done(seen.Bytes(), true)
	}
}

// prefix keeps what is written up to its limit.
type prefix struct {
	bytes.Buffer
	limit int
	over  bool
}

// Write never fails, or the client would get less than there is.
func (p *prefix) Write(text []byte) (int, error) {
	if p.over = p.over || p.Len()+len(text) > p.limit; !p.over {
		return p.Buffer.Write(text)
	}
	return len(text), nil
}

// Send writes the answer and closes it. An error means that nothing was written yet. A callee that breaks off later has the connection
// cut, so that the client does not take the part for the whole.
func (a *Answer) Send(w http.ResponseWriter) error {
	defer func() { _ = a.Body.Close() }()
	body := bufio.NewReaderSize(a.Body, firstPart)
	if _, err := body.Peek(firstPart); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	h := w.Header()
	for name, values := range a.Header {
		if name == "Vary" { // the gateway has its own reasons
			values = append(h[name], values...)
		}
		h[name] = values
	}
	if a.Length >= 0 && a.Status != http.StatusNotModified {
		h.Set("Content-Length", strconv.FormatInt(a.Length, 10))
	}
	w.WriteHeader(a.Status)
	if _, err := io.Copy(w, body); err != nil {
		panic(http.ErrAbortHandler) // there is no other way to say it
	}
	if a.sent != nil {
		a.sent()
	}
	return nil
}
