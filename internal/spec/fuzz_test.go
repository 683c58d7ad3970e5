package spec

import (
	"bytes"
	"errors"
	"testing"
)

// sane checks what every error of a parser promises: problems with a place in the file and no two of the same.
func sane(t *testing.T, raw []byte, err error) {
	t.Helper()
	if err == nil {
		return
	}
	var problems Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("the error is no problems: %v", err)
	}
	lines := bytes.Count(raw, []byte("\n")) + 1
	seen := map[Problem]bool{}
	for _, p := range problems {
		if p.Line < 1 || p.Line > lines || p.Column < 1 || p.Message == "" || p.Remedy == "" {
			t.Errorf("in %d lines: %+v", lines, p)
		}
		if seen[p] {
			t.Errorf("told twice: %s", p)
		}
		seen[p] = true
	}
}

func FuzzService(f *testing.F) {
	for _, text := range []string{wholeService, "", "name: a\n", "\uFEFFname: a\r\ncalls:\r\n", "name: &a b\n", "name: [\n", "a:\n\t- b", "? [a]\n: b\n", "name: a\nname: b", "calls: {b: {operations: [c]}}", "name: |\n a\n", "--- a\n--- b"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := ParseService("services/a/service.yaml", raw)
		sane(t, raw, err)
		if err != nil {
			return
		}
		edited, err := Edit(raw, AddCall("users", "getUser"), AddConsumed("user.created.v1"), SetCache("redis"), AddExternal(External{Host: "a.example"}))
		if err != nil {
			if !errors.Is(err, ErrNotEdited) {
				t.Fatalf("edit: %v", err)
			}
			return
		}
		again, err := ParseService("services/a/service.yaml", edited)
		if err != nil {
			t.Fatalf("the edited text is refused: %v\n%s", err, edited)
		}
		if again.Name != s.Name || again.Cache.Kind != "redis" || again.Calls["users"] == nil || len(again.Calls) < len(s.Calls) {
			t.Errorf("edited from\n%s\nto\n%s", raw, edited)
		}
	})
}

func FuzzPlatform(f *testing.F) {
	for _, text := range []string{"name: shop\n", "name: shop\nversions: {istio: 1.31.1}\ngateway: {hosts: [a.b]}\n", "versions:\n  redis: 8\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, err := ParsePlatform(PlatformFile, raw)
		sane(t, raw, err)
	})
}

func FuzzEvent(f *testing.F) {
	for _, text := range []string{createdSchema, "{", `{"type": "object", "properties": {"a": {"type": "array", "items": {"type": "number", "enum": [1e3]}}}}`, `{"a": "\ud800"}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, err := ParseEvent(eventFile, raw)
		sane(t, raw, err)
	})
}

func FuzzContract(f *testing.F) {
	for _, text := range []string{catalogContract, "openapi: 3.0.3\npaths: {}\n", "openapi: 3.0.3\npaths:\n  /a: {get: {operationId: a}}\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, err := ParseContract(contractFile, raw)
		sane(t, raw, err)
		if err != nil {
			return
		}
		edited, err := AddOperation(raw, NewOperation{ID: "fuzzedOperation", Method: "PUT", Path: "/fuzzed/{id}"})
		if err != nil {
			return
		}
		c, err := ParseContract(contractFile, edited)
		if err != nil || c.Operations["fuzzedOperation"] == nil {
			t.Errorf("the edited contract: %v\n%s", err, edited)
		}
	})
}
