// Package apiversion decides which version of an API a request is for, so that one handler can serve all of them:
//
//	versions, err := apiversion.New(apiversion.Options{
//		Vendor:     "trellis",
//		Operations: []string{"getProduct", "getProductV2", "getProductUnversioned"},
//		Versions:   []apiversion.Version{{Number: 1, Deprecated: since, Sunset: end, Docs: "https://…"}, {Number: 2}},
//		Default:    1,
//	})
//	server.Router().Use(versions.Middleware) // before the handlers are registered
//	…
//	if apiversion.Of(ctx) == 2 { … }
//
// A client says what it wants in one of three ways:
//
//   - by the path: /v2/products;
//   - by a header: Api-Version: 2;
//   - by the media type: Accept: application/vnd.trellis.v2+json, with q and in company of others, as RFC 9110 has it.
//
// Path goes before header, header before Accept, and Accept before the default. Ways that contradict each other are refused rather
// than ranked, since one of them is a mistake: 400 api_version_conflict between path and header, 406 where Accept leaves nothing of
// the version that was chosen. A header with a version that there is not gets 400 api_version_unknown; an Accept that has only media
// types of versions that there are not gets 406 media_type_unknown. An Accept that names no media type of ours is no wish for
// a version and is left alone, as handlers without versions leave it.
//
// The answer says what was decided: Api-Version; Content-Type, which is the media type of the version if that was asked for by name;
// and Vary, so that no cache gives one version for another. Of a deprecated version it says since when (Deprecation, RFC 9745), when
// it ends (Sunset, RFC 8594) and where to read about it (Link).
package apiversion

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/problem"
)

// Header is how a request names a version, and how an answer tells it.
const Header = "Api-Version"

const plainJSON = "application/json"

// Version is one version of the API.
type Version struct {
	Number int
	// Deprecated is since when, or from when on, nobody should use it; zero when it is as good as any.
	Deprecated time.Time
	// Sunset is when it will cease to be there; zero when that is not known. Nothing is refused after it.
	Sunset time.Time
	// Docs is the address of a page about its deprecation.
	Docs string
}

// Options describe an API with versions.
type Options struct {
	// Vendor is the owner of the media types: application/vnd.<vendor>.v<n>+json.
	Vendor string
	// Operations are the operationIds that have versions; all others are left alone.
	Operations []string
	Versions   []Version
	// Default is the version of a request that names none.
	Default int
}

// Versions are the versions of an API.
type Versions struct {
	operations map[string]bool
	known      map[int]*version
	numbers    []int // the newest first
	fallback   int
	vendor     *regexp.Regexp
}

// version is a Version with what does not change from answer to answer.
type version struct {
	number    int
	mediaType string
	header    http.Header // of its deprecation
}

var vendorName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// New prepares the versions of an API.
func New(opt Options) (*Versions, error) {
	if !vendorName.MatchString(opt.Vendor) {
		return nil, fmt.Errorf("apiversion: vendor %q: give a name of small letters, digits and hyphens", opt.Vendor)
	}
	if len(opt.Operations) == 0 {
		return nil, errors.New("apiversion: no operation has versions: name some in Options.Operations")
	}
	v := &Versions{
		operations: map[string]bool{}, known: map[int]*version{}, fallback: opt.Default,
		vendor: regexp.MustCompile(`^application/vnd\.` + opt.Vendor + `\.v([0-9]{1,9})\+json$`),
	}
	for _, id := range opt.Operations {
		v.operations[id] = true
	}
	for _, one := range opt.Versions {
		if one.Number < 1 || v.known[one.Number] != nil {
			return nil, fmt.Errorf("apiversion: version %d: a version is a number from 1 on and there once", one.Number)
		}
		if !one.Sunset.IsZero() && one.Sunset.Before(one.Deprecated) {
			return nil, fmt.Errorf("apiversion: version %d ends before it is deprecated", one.Number)
		}
		v.known[one.Number] = &version{
			number: one.Number, mediaType: fmt.Sprintf("application/vnd.%s.v%d+json", opt.Vendor, one.Number), header: one.lifecycle(),
		}
		v.numbers = append(v.numbers, one.Number)
	}
	if v.known[opt.Default] == nil {
		return nil, fmt.Errorf("apiversion: the default is version %d, which there is not", opt.Default)
	}
	slices.SortFunc(v.numbers, func(a, b int) int { return b - a })
	return v, nil
}

// lifecycle are the headers that tell of the version's end.
func (v Version) lifecycle() http.Header {
	h := http.Header{}
	if !v.Deprecated.IsZero() {
		h.Set("Deprecation", "@"+strconv.FormatInt(v.Deprecated.Unix(), 10)) // a date of RFC 9651
	}
	if !v.Sunset.IsZero() {
		h.Set("Sunset", v.Sunset.UTC().Format(http.TimeFormat))
	}
	if v.Docs != "" && len(h) > 0 {
		h.Set("Link", "<"+v.Docs+`>; rel="deprecation"; type="text/html"`)
	}
	return h
}

type versionKey struct{}

// Of is the version that the request of ctx is for; 0 outside of the operations that have versions.
func Of(ctx context.Context) int {
	number, _ := ctx.Value(versionKey{}).(int)
	return number
}

// Middleware is for the router of package httpserver, before any handler is registered; it leaves alone what has no versions.
func (v *Versions) Middleware(c *gin.Context) {
	if !v.operations[httpserver.Operation(c.Request.Context())] {
		return
	}
	header := c.Writer.Header()
	header.Add("Vary", Header)
	header.Add("Vary", "Accept")
	chosen, mediaType, err := v.choose(c.FullPath(), c.Request.Header)
	if err != nil {
		problem.Abort(c, err)
		return
	}
	header.Set(Header, strconv.Itoa(chosen.number))
	for name, values := range chosen.header {
		header[name] = append(header[name], values...)
	}
	if mediaType != plainJSON {
		c.Writer = &typed{c.Writer, mediaType}
	}
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), versionKey{}, chosen.number))
}

// choose decides about the version, and the media type of the answer.
func (v *Versions) choose(path string, header http.Header) (*version, string, error) {
	number, err := v.named(path, header[Header])
	if err != nil {
		return nil, "", err
	}
	chosen, mediaType, ok := v.negotiate(header["Accept"], number)
	switch {
	case ok:
		return chosen, mediaType, nil
	case number != 0:
		return nil, "", problem.New(http.StatusNotAcceptable, "media_type_conflict", fmt.Sprintf(
			"The request is for version %d, and Accept leaves none of its media types, which are %s and %s.",
			number, plainJSON, v.known[number].mediaType))
	}
	return nil, "", problem.New(http.StatusNotAcceptable, "media_type_unknown",
		"Accept has no media type that there is. There are "+v.mediaTypes()+".")
}

var versionedPath = regexp.MustCompile(`^/v([1-9][0-9]{0,8})/`)

// named is the version that the path or the header asks for; 0 when neither does.
func (v *Versions) named(path string, header []string) (int, error) {
	number := 0
	if match := versionedPath.FindStringSubmatch(path); match != nil {
		number, _ = strconv.Atoi(match[1]) // nine digits
	}
	if number != 0 && v.known[number] == nil {
		return 0, problem.NotFound("api_version_unknown", v.unknown()) // a path of the contract that Options do not know
	}
	for _, text := range header {
		wanted, err := strconv.Atoi(strings.TrimSpace(text))
		switch {
		case err != nil || v.known[wanted] == nil:
			return 0, problem.BadRequest("api_version_unknown", v.unknown())
		case number != 0 && number != wanted:
			return 0, problem.BadRequest("api_version_conflict",
				fmt.Sprintf("The request is for version %d and for version %d. Name one.", number, wanted))
		}
		number = wanted
	}
	return number, nil
}

func (v *Versions) unknown() string {
	var texts []string
	for _, number := range slices.Backward(v.numbers) {
		texts = append(texts, strconv.Itoa(number))
	}
	return "There is no such version of the API. There are " + strings.Join(texts, ", ") + "."
}

func (v *Versions) mediaTypes() string {
	texts := []string{plainJSON}
	for _, number := range slices.Backward(v.numbers) {
		texts = append(texts, v.known[number].mediaType)
	}
	return strings.Join(texts, ", ")
}

// typed gives a successful answer in JSON the media type that was asked for. Problems keep theirs.
type typed struct {
	gin.ResponseWriter
	mediaType string
}

// WriteHeader implements http.ResponseWriter. gin sends the headers later.
func (t *typed) WriteHeader(status int) {
	if status < http.StatusMultipleChoices && t.Header().Get("Content-Type") == plainJSON {
		t.Header().Set("Content-Type", t.mediaType)
	}
	t.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (t *typed) Unwrap() http.ResponseWriter { return t.ResponseWriter }
