package telemetry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Redacted stands for what must not be seen.
const Redacted = "[redacted]"

// sensitive are the words that make an attribute's key sensitive wherever they occur in it, without case, - and _.
var sensitive = []string{
	"authorization", "password", "passwd", "passphrase", "secret", "token", "cookie", "apikey", "accesskey", "privatekey",
	"credential", "cardnumber", "cardholder", "cvv", "cvc", "iban", "sessionid",
}

// sensitiveExactly are keys that are sensitive only as a whole, since other words hold them too.
var sensitiveExactly = map[string]bool{"auth": true, "pan": true, "pin": true, "ssn": true, "pwd": true, "dsn": true, "jwt": true, "bearer": true}

// SensitiveKey reports whether the values under a key, such as card_number or Set-Cookie, are not to be shown.
func SensitiveKey(key string) bool {
	if harmless(key) {
		return false
	}
	var room [64]byte
	flat := room[:0]
	for i := range len(key) {
		b := key[i]
		switch {
		case 'A' <= b && b <= 'Z':
			flat = append(flat, b+'a'-'A')
		case b != '-' && b != '_' && b != '.' && b != ' ':
			flat = append(flat, b)
		}
	}
	if len(flat) < 3 {
		return false
	}
	if sensitiveExactly[string(flat)] {
		return true
	}
	text := string(flat)
	for _, word := range sensitive {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// harmless reports whether a key is among those of nearly every record, which need no search.
func harmless(key string) bool {
	switch key {
	case "method", "path", "operation", "status", "duration_ms", "error", "service", "name", "id", "count", "reason":
		return true
	}
	return false
}

// isCardNumber is isCard for the lengths that nearly all cards have, so that ordinary counts are left alone.
func isCardNumber(n int64) bool {
	if n < 2e14 || n >= 7e15 {
		return false
	}
	text := strconv.FormatInt(n, 10)
	return isCard(text, len(text))
}

// appendAny adds a value of any type, redacted. What is more than a scalar goes through its JSON form.
func appendAny(buf []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(buf, "null"...)
	case error:
		return appendText(buf, Redact(textOf(v.Error, value)))
	case json.Marshaler:
		return appendTree(buf, v)
	case fmt.Stringer:
		return appendText(buf, Redact(textOf(v.String, value)))
	case []byte:
		return appendText(buf, Redact(string(v)))
	}
	if reflect.TypeOf(value).Kind() == reflect.String {
		return appendText(buf, Redact(reflect.ValueOf(value).String()))
	}
	return appendTree(buf, value)
}

// appendTree decodes the JSON form of a value, redacts it member by member, and encodes it again.
func appendTree(buf []byte, value any) []byte {
	text, err := marshal(value)
	if err != nil {
		return appendText(buf, fmt.Sprintf("!ERROR: a %T has no JSON form", value))
	}
	var tree any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		return appendText(buf, Redact(string(text)))
	}
	clean, err := json.Marshal(redactTree(tree))
	if err != nil { // what was decoded from JSON can be encoded
		return append(buf, "null"...)
	}
	return append(buf, clean...)
}

// redactTree redacts decoded JSON in place.
func redactTree(tree any) any {
	switch v := tree.(type) {
	case string:
		return Redact(v)
	case json.Number:
		if Redact(v.String()) != v.String() {
			return Redacted
		}
		return v
	case []any:
		for i := range v {
			v[i] = redactTree(v[i])
		}
	case map[string]any:
		for key, member := range v {
			if SensitiveKey(key) {
				v[key] = Redacted
			} else {
				v[key] = redactTree(member)
			}
		}
	}
	return tree
}

// textOf calls a value's Error or String, which may panic on a nil pointer; a log line must not bring a program down.
func textOf(method func() string, value any) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("!PANIC in the text of a %T", value)
		}
	}()
	return method()
}

func marshal(value any) (text []byte, err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("marshal a %T: panic", value)
		}
	}()
	return json.Marshal(value)
}
