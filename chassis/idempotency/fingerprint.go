package idempotency

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strings"
)

// idOf names a key in the table. The parts are told apart by their lengths.
func idOf(principal, operation, key string) string {
	sum := sha256.New()
	for _, part := range []string{principal, operation, key} {
		write(sum, []byte(part))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// fingerprint tells one request from another without giving anything of it away, as its hash is made with the key, which is
// not stored. The body stays for the handler.
func fingerprint(r *http.Request, key string, limit int64) (string, error) {
	body, err := canonicalBody(r, limit)
	if err != nil {
		return "", err
	}
	sum := hmac.New(sha256.New, []byte(key))
	for _, part := range [][]byte{[]byte(r.Method), []byte(r.URL.EscapedPath()), []byte(r.URL.RawQuery), body} {
		write(sum, part)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func write(sum hash.Hash, part []byte) {
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(part)))
	_, _ = sum.Write(length[:]) // a hash never fails
	_, _ = sum.Write(part)
}

// canonicalBody gives the body, JSON with its members in order and without spacing, and leaves the request as it was. Numbers
// keep their digits: 1 and 1.0 are two bodies.
func canonicalBody(r *http.Request, limit int64) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	// Package httpserver has read and decoded JSON already.
	if checked, ok := r.Body.(interface{ ValidatedValue() any }); ok && r.ContentLength <= limit {
		return json.Marshal(checked.ValidatedValue())
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, &http.MaxBytesError{Limit: limit}
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	if !isJSON(r.Header.Get("Content-Type")) {
		return data, nil
	}
	return canonicalJSON(data), nil
}

// canonicalJSON gives data as it is when it is no JSON: the handler will say so.
func canonicalJSON(data []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return data
	}
	if _, err := decoder.Token(); err != io.EOF {
		return data
	}
	canonical, err := json.Marshal(value)
	if err != nil {
		return data
	}
	return canonical
}

func isJSON(contentType string) bool {
	name, _, _ := strings.Cut(contentType, ";")
	name = strings.ToLower(strings.TrimSpace(name))
	return name == "application/json" || strings.HasSuffix(name, "+json")
}
