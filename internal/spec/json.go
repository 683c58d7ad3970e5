package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// parseJSON reads a JSON document into nodes that know their places, which encoding/json does not tell of a decoded value.
func parseJSON(file string, raw []byte) (*jsonNode, *Problem) {
	text := bytes.TrimPrefix(raw, []byte(bom))
	r := &jsonReader{raw: raw, skipped: len(raw) - len(text), decoder: json.NewDecoder(bytes.NewReader(text))}
	r.decoder.UseNumber()
	root, err := r.document()
	if twice, ok := errors.AsType[*keyTwiceError](err); ok {
		return nil, &Problem{locate(file, raw).at(twice.at), err.Error(), "remove one of the two"}
	}
	if err != nil {
		return nil, &Problem{locate(file, raw).at(r.next()), "the JSON cannot be read: " + err.Error(), "correct it here or just before"}
	}
	return root, nil
}

// jsonNode is a JSON value that knows its place, as the offset in the file: few places are ever told.
type jsonNode struct {
	at      int
	value   any // string, json.Number, bool, nil; jsonObject and jsonArray
	keyAt   int
	keyName string
}

type (
	jsonObject []*jsonNode // with keyAt and keyName
	jsonArray  []*jsonNode
)

func (o jsonObject) get(key string) *jsonNode {
	for _, n := range o {
		if n.keyName == key {
			return n
		}
	}
	return nil
}

type jsonReader struct {
	raw     []byte
	skipped int
	decoder *json.Decoder
	depth   int
}

type keyTwiceError struct {
	at  int
	key string
}

func (e *keyTwiceError) Error() string { return fmt.Sprintf("the key %q stands twice", clip(e.key)) }

var errDepth = errors.New("it is nested too deeply")

// next is where the token that comes next begins.
func (r *jsonReader) next() int {
	offset := min(r.skipped+int(r.decoder.InputOffset()), len(r.raw))
	for offset < len(r.raw) && strings.IndexByte(" \t\r\n,:", r.raw[offset]) >= 0 {
		offset++
	}
	return offset
}

func (r *jsonReader) document() (*jsonNode, error) {
	n, err := r.node()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("it ends too early")
		}
		return nil, err
	}
	if _, err := r.decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows its end")
	}
	return n, nil
}

func (r *jsonReader) node() (*jsonNode, error) {
	if r.depth++; r.depth > 100 {
		return nil, errDepth
	}
	defer func() { r.depth-- }()
	n := &jsonNode{at: r.next()}
	token, err := r.decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return n, r.object(n)
	case json.Delim('['):
		items := jsonArray{}
		for r.decoder.More() {
			item, err := r.node()
			if err != nil {
				return nil, err
			}
			items = append(items, item)
		}
		n.value = items
		_, err = r.decoder.Token()
		return n, err
	}
	n.value = token
	return n, nil
}

func (r *jsonReader) object(n *jsonNode) error {
	members, seen := jsonObject{}, map[string]bool{}
	for r.decoder.More() {
		keyAt := r.next()
		key, err := r.decoder.Token()
		if err != nil {
			return err
		}
		name, ok := key.(string)
		if !ok {
			return errors.New("a key must be a string")
		}
		if seen[name] {
			return &keyTwiceError{keyAt, name}
		}
		seen[name] = true
		member, err := r.node()
		if err != nil {
			return err
		}
		member.keyName, member.keyAt = name, keyAt
		members = append(members, member)
	}
	n.value = members
	_, err := r.decoder.Token()
	return err
}
