package idempotency

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
)

// recording is an answer that goes nowhere but into memory.
type recording struct {
	header    http.Header
	status    int
	body      []byte
	limit     int
	overflown bool
}

func newRecording(limit int) *recording {
	return &recording{header: http.Header{}, status: http.StatusOK, limit: limit}
}

// Header implements http.ResponseWriter.
func (r *recording) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *recording) WriteHeader(status int) { r.status = status }

// Write implements http.ResponseWriter.
func (r *recording) Write(data []byte) (int, error) {
	if r.overflown = r.overflown || len(r.body)+len(data) > r.limit; !r.overflown {
		r.body = append(r.body, data...)
	}
	return len(data), nil
}

// held is the writer of a request that is being carried out: the answer is held back until it is kept, as otherwise a client
// could have it and a repetition not. One that is too large to be kept goes out as it comes.
type held struct {
	gin.ResponseWriter // whose headers are the answer's
	body               bytes.Buffer
	status             int
	begun              bool // the handler has begun to answer
	limit              int
	overflown          bool
}

func hold(w gin.ResponseWriter, limit int) *held {
	return &held{ResponseWriter: w, status: http.StatusOK, limit: limit}
}

// WriteHeader implements http.ResponseWriter. As gin does, it takes the last status before the body begins.
func (h *held) WriteHeader(status int) {
	if status > 0 && !h.begun {
		h.status = status
	}
}

// WriteHeaderNow implements gin.ResponseWriter.
func (h *held) WriteHeaderNow() { h.begun = true }

// Write implements http.ResponseWriter.
func (h *held) Write(data []byte) (int, error) {
	h.begun = true
	if !h.overflown && h.body.Len()+len(data) > h.limit {
		h.overflown = true
		h.send()
	}
	if h.overflown {
		return h.ResponseWriter.Write(data)
	}
	return h.body.Write(data)
}

// WriteString implements io.StringWriter.
func (h *held) WriteString(text string) (int, error) { return h.Write([]byte(text)) }

// Flush implements http.Flusher. What is held back is not flushed.
func (h *held) Flush() {
	h.begun = true
	if h.overflown {
		h.ResponseWriter.Flush()
	}
}

// Status implements gin.ResponseWriter.
func (h *held) Status() int { return h.status }

// Size implements gin.ResponseWriter.
func (h *held) Size() int {
	if !h.begun {
		return -1
	}
	if h.overflown {
		return h.ResponseWriter.Size()
	}
	return h.body.Len()
}

// Written implements gin.ResponseWriter.
func (h *held) Written() bool { return h.begun }

// Unwrap is for http.ResponseController: the connection's deadlines are not held back.
func (h *held) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// send lets go of what was held back.
func (h *held) send() {
	h.ResponseWriter.WriteHeader(h.status)
	if h.begun {
		h.ResponseWriter.WriteHeaderNow()
	}
	if h.body.Len() > 0 {
		_, _ = h.ResponseWriter.Write(h.body.Bytes()) // the client may be gone; there is nobody left to tell
	}
}

// replay answers as the first time.
func replay(c *gin.Context, kept *row) error {
	answer := http.Header{}
	if err := json.Unmarshal([]byte(kept.Header), &answer); err != nil {
		return err
	}
	c.Abort()
	h := c.Writer.Header()
	for name, values := range answer {
		h[name] = values
	}
	h.Set(headerReplayed, "true")
	c.Writer.WriteHeader(kept.Status)
	c.Writer.WriteHeaderNow()
	if len(kept.Body) > 0 {
		_, _ = c.Writer.Write(kept.Body) // the client may be gone; there is nobody left to tell
	}
	return nil
}

// encodeHeader gives those headers that are kept, as JSON.
func encodeHeader(all http.Header, kept []string) (string, error) {
	chosen := http.Header{}
	for _, name := range kept {
		name = http.CanonicalHeaderKey(name)
		if values := all[name]; len(values) > 0 {
			chosen[name] = slices.Clone(values)
		}
	}
	text, err := json.Marshal(chosen)
	return string(text), err
}
