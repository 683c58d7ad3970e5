package version

import (
	"errors"
	"net/http"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/problem"
)

func TestEveryWayToAskForAVersion(t *testing.T) {
	const v1, v2 = "application/vnd.trellis.v1+json", "application/vnd.trellis.v2+json"
	for name, c := range map[string]struct {
		header, accept []string
		version, media string
		status         int
	}{
		"nothing":                         {nil, nil, Current, "", 0},
		"the old one":                     {[]string{"1"}, nil, Old, "", 0},
		"the current one":                 {[]string{" 2 "}, nil, Current, "", 0},
		"the old media type":              {nil, []string{v1}, Old, v1, 0},
		"the current media type":          {nil, []string{v2 + ";q=0.9"}, Current, v2, 0},
		"in capital letters":              {nil, []string{"Application/Vnd.Trellis.V1+JSON"}, Old, v1, 0},
		"among others":                    {nil, []string{"text/html", "*/*, " + v1}, Old, v1, 0},
		"both, the same":                  {[]string{"1"}, []string{v1}, Old, v1, 0},
		"the same twice":                  {[]string{"1", "1"}, nil, Old, "", 0},
		"both, another":                   {[]string{"2"}, []string{v1}, "", "", 400},
		"two headers":                     {[]string{"1", "2"}, nil, "", "", 400},
		"an unknown one":                  {[]string{"3"}, nil, "", "", 406},
		"none at all":                     {[]string{""}, nil, "", "", 406},
		"an unknown media type":           {nil, []string{"application/vnd.trellis.v3+json"}, "", "", 406},
		"an unknown media type, or any":   {nil, []string{"application/vnd.trellis.v3+json, */*"}, Current, "", 0},
		"an unknown one, or the old one":  {nil, []string{"application/vnd.trellis.v3+json, " + v1}, Old, v1, 0},
		"another vendor's":                {nil, []string{"application/vnd.other.v1+json"}, Current, "", 0},
		"a version in another media type": {nil, []string{"application/vnd.trellis.v1+xml"}, Current, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			if c.header != nil {
				h["Api-Version"] = c.header
			}
			if c.accept != nil {
				h["Accept"] = c.accept
			}
			got, err := negotiate(h)
			status := 0
			var told *problem.Problem
			if errors.As(err, &told) {
				status = told.Status
			}
			if status != c.status || got.version != c.version || got.mediaType != c.media {
				t.Errorf("got %+v, %v; want version %q, media type %q, status %d", got, err, c.version, c.media, c.status)
			}
		})
	}
}
