package httpserver

import (
	"errors"
	"net/mail"
	"net/netip"
	"net/url"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
)

// schemaOptions are the string formats that are checked. kin-openapi's own check the shape of a date; these check that it
// exists. They stay out of kin-openapi's global table, which other users of the library share.
func schemaOptions(*openapi3.T) []openapi3.SchemaValidationOption {
	return []openapi3.SchemaValidationOption{openapi3.WithStringFormatValidators(formats)}
}

var formats = map[string]openapi3.StringFormatValidator{
	"uuid": format("must be a UUID", func(s string) bool {
		_, err := uuid.Parse(s)
		return err == nil && len(s) == 36
	}),
	"email": format("must be an e-mail address", func(s string) bool {
		address, err := mail.ParseAddress(s)
		return err == nil && address.Address == s
	}),
	"uri": format("must be an absolute URI", func(s string) bool {
		u, err := url.Parse(s)
		return err == nil && u.IsAbs()
	}),
	"date": format("must be a date like 2006-01-02", func(s string) bool {
		_, err := time.Parse(time.DateOnly, s)
		return err == nil
	}),
	"date-time": format("must be a time like 2006-01-02T15:04:05Z", func(s string) bool {
		_, err := time.Parse(time.RFC3339, s)
		return err == nil
	}),
	"ipv4": format("must be an IPv4 address", func(s string) bool {
		a, err := netip.ParseAddr(s)
		return err == nil && a.Is4()
	}),
	"ipv6": format("must be an IPv6 address", func(s string) bool {
		a, err := netip.ParseAddr(s)
		return err == nil && a.Is6()
	}),
}

// format makes a validator whose message does not show the value.
func format(must string, ok func(string) bool) openapi3.StringFormatValidator {
	wrong := errors.New(must)
	return openapi3.NewCallbackValidator(func(value string) error {
		if ok(value) {
			return nil
		}
		return wrong
	})
}
