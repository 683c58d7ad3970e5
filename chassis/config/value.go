package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// setValue sets a value from a text or a list of texts. When that cannot be, it says what is wrong and what to do. A
// secret is not shown.
func setValue(v reflect.Value, raw any) (wrong, remedy string) {
	if v.Kind() == reflect.Slice && !isText(v) {
		return setList(v, raw)
	}
	text, ok := raw.(string)
	if !ok {
		return "is a list", "give one value"
	}
	return setText(v, text)
}

func isText(v reflect.Value) bool {
	_, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	return ok
}

// setList takes a list, or a text with commas.
func setList(v reflect.Value, raw any) (wrong, remedy string) {
	items, ok := raw.([]string)
	if text, isString := raw.(string); isString {
		ok = true
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				items = append(items, item)
			}
		}
	}
	if !ok {
		return "is no list", "give values separated by commas"
	}
	list := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		if wrong, remedy := setText(list.Index(i), item); wrong != "" {
			return wrong, remedy
		}
	}
	v.Set(list)
	return "", ""
}

func setText(v reflect.Value, text string) (wrong, remedy string) {
	if unmarshaler, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err := unmarshaler.UnmarshalText([]byte(text)); err != nil {
			return notA(text, v.Type().String()), "see its documentation: " + err.Error()
		}
		return "", ""
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(text)
		if err != nil {
			return notA(text, "duration"), "give one like 500ms, 10s or 2m"
		}
		v.SetInt(int64(d))
		return "", ""
	}
	return setScalar(v, text)
}

func setScalar(v reflect.Value, text string) (wrong, remedy string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return notA(text, "yes or no"), "give true or false"
		}
		v.SetBool(b)
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(text, v.Type().Bits())
		if err != nil || f != f {
			return notA(text, "number"), "give one like 0.1"
		}
		v.SetFloat(f)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if err != nil {
			return notA(text, "whole number of this size"), "give one from 0 on"
		}
		v.SetUint(n)
	default:
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return notA(text, "whole number of this size"), "give one like 10"
		}
		v.SetInt(n)
	}
	return "", ""
}

// maxShown bounds what an error repeats of a value.
const maxShown = 60

func notA(text, what string) string {
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "…"
	}
	return fmt.Sprintf("is %q, which is no %s", text, what)
}
