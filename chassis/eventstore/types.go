package eventstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// ErrUnknownType is a stored event whose type is not defined, or is of a version newer than this program knows.
var ErrUnknownType = errors.New("the event's type is not known")

// Types tells which Go type an event's name stands for, and how older versions of it become the current one. It is filled
// before the Store is made, and not changed later.
type Types struct {
	byName map[string]*eventType
	byGo   map[reflect.Type]*eventType
	errs   []error
}

type eventType struct {
	name    string
	version int
	decode  func([]byte) (any, error)
	upcasts map[int]func([]byte) ([]byte, error) // by the version they start from
}

// NewTypes gives types without any.
func NewTypes() *Types {
	return &Types{byName: map[string]*eventType{}, byGo: map[reflect.Type]*eventType{}}
}

// Define says that events called name are values of T, encoded as JSON, and that T is the version-th shape of them; the
// first is 1. A mistake is reported by New.
func Define[T any](types *Types, name string, version int) {
	t := types.named(name)
	goType := reflect.TypeFor[T]()
	switch {
	case t.version != 0:
		types.fail("event type %s is defined twice", name)
	case types.byGo[goType] != nil:
		types.fail("event types %s and %s are both %s", types.byGo[goType].name, name, goType)
	case version < 1:
		types.fail("event type %s: version %d: the first one is 1", name, version)
	case goType.Kind() == reflect.Pointer:
		types.fail("event type %s: %s is a pointer: events are values", name, goType)
	}
	t.version = version
	t.decode = func(data []byte) (any, error) {
		var v T
		err := json.Unmarshal(data, &v)
		return v, err
	}
	types.byGo[goType] = t
}

// Upcast says how an event called name becomes, from the shape of version from, which is Old, one of the next version,
// which is Next. Upcasts are chained, so a stored event is never changed.
func Upcast[Old, Next any](types *Types, name string, from int, fn func(Old) (Next, error)) {
	t := types.named(name)
	if t.upcasts[from] != nil {
		types.fail("event type %s has two upcasts from version %d", name, from)
	}
	t.upcasts[from] = func(data []byte) ([]byte, error) {
		var old Old
		if err := json.Unmarshal(data, &old); err != nil {
			return nil, err
		}
		next, err := fn(old)
		if err != nil {
			return nil, err
		}
		return json.Marshal(next)
	}
}

func (t *Types) named(name string) *eventType {
	e := t.byName[name]
	if e == nil {
		if err := validName("event type", name); err != nil {
			t.errs = append(t.errs, err)
		}
		e = &eventType{name: name, upcasts: map[int]func([]byte) ([]byte, error){}}
		t.byName[name] = e
	}
	return e
}

func (t *Types) fail(format string, args ...any) {
	t.errs = append(t.errs, fmt.Errorf(format, args...))
}

// check reports what is wrong with the definitions.
func (t *Types) check() error {
	errs := t.errs
	for name, e := range t.byName {
		if e.version == 0 {
			errs = append(errs, fmt.Errorf("event type %s has upcasts and no Define", name))
			continue
		}
		for from := 1; from < e.version; from++ {
			if e.upcasts[from] == nil {
				errs = append(errs, fmt.Errorf("event type %s is at version %d and has no Upcast from version %d", name, e.version, from))
			}
		}
		for from := range e.upcasts {
			if from < 1 || from >= e.version {
				errs = append(errs, fmt.Errorf("event type %s is at version %d: an Upcast from version %d leads nowhere", name, e.version, from))
			}
		}
	}
	return errors.Join(errs...)
}

func (t *Types) encode(event any) (name string, version int, data []byte, err error) {
	e := t.byGo[reflect.TypeOf(event)]
	if e == nil {
		return "", 0, nil, fmt.Errorf("%w: %T: say eventstore.Define for it, and append values, not pointers", ErrUnknownType, event)
	}
	if data, err = json.Marshal(event); err != nil {
		return "", 0, nil, fmt.Errorf("encode %s: %w", e.name, err)
	}
	return e.name, e.version, data, nil
}

// decode gives the event as its type's current shape.
func (t *Types) decode(name string, version int, data []byte) (event any, err error) {
	e := t.byName[name]
	if e == nil {
		return nil, fmt.Errorf("%w: %s: say eventstore.Define for it", ErrUnknownType, name)
	}
	if version < 1 || version > e.version {
		return nil, fmt.Errorf("%w: %s version %d, and this program knows 1 to %d: run the newer one", ErrUnknownType, name, version, e.version)
	}
	for ; version < e.version; version++ {
		if data, err = e.upcast(version, data); err != nil {
			return nil, fmt.Errorf("upcast %s from version %d: %w", name, version, err)
		}
	}
	if event, err = e.decode(data); err != nil {
		return nil, fmt.Errorf("decode %s version %d: %w", name, version, err)
	}
	return event, nil
}

// upcast takes one step. What one stored event makes panic is that event's fault and ends no process.
func (e *eventType) upcast(from int, data []byte) (next []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return e.upcasts[from](data)
}
