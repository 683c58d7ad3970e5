package render

import (
	"go/token"
	"go/types"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// goName is the exported Go identifier for a name of a contract or declaration: get-user_byId becomes GetUserByID. It is
// the rule that oapi-codegen applies to operations, schemas and properties, without needing it to run.
func goName(s string) string {
	words := nameWords.FindAllString(codegen.ToCamelCaseWithDigits(s), -1)
	for i, word := range words {
		if upper := strings.ToUpper(word); slices.Contains(initialisms, upper) {
			words[i] = upper
		}
	}
	return strings.Join(words, "")
}

var nameWords = regexp.MustCompile(`[\p{Lu}\d]+([\p{Ll}\d]+|$)`)

// initialisms are written in capitals, as Go's review comments ask. The list is oapi-codegen's.
var initialisms = []string{
	"ACL", "API", "ASCII", "CPU", "CSS", "DNS", "EOF", "GUID", "HTML", "HTTP", "HTTPS", "ID", "IP", "JSON",
	"QPS", "RAM", "RPC", "SLA", "SMTP", "SQL", "SSH", "TCP", "TLS", "TTL", "UDP", "UI", "GID", "UID", "UUID",
	"URI", "URL", "UTF8", "VM", "XML", "XMPP", "XSRF", "XSS", "SIP", "RTP", "AMQP", "DB", "TS",
}

// words splits a name at its separators and capitals: getUserByID gives get, user, by, id.
func words(s string) []string {
	var out []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			out = append(out, strings.ToLower(string(word)))
			word = nil
		}
	}
	runes := []rune(s)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
			continue
		case unicode.IsUpper(r) && i > 0:
			startsWord := unicode.IsLower(runes[i-1]) || unicode.IsDigit(runes[i-1])
			endsInitialism := unicode.IsUpper(runes[i-1]) && i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if startsWord || endsInitialism {
				flush()
			}
		}
		word = append(word, r)
	}
	flush()
	return out
}

// snake is a name with its words in lower case, joined by underscores.
func snake(s string) string { return strings.Join(words(s), "_") }

// phrase is a name as words of a sentence.
func phrase(s string) string { return strings.Join(words(s), " ") }

// lowerCamel is a name as a JSON property: order-line becomes orderLine.
func lowerCamel(s string) string {
	parts := words(s)
	for i, part := range parts[min(1, len(parts)):] {
		parts[i+1] = strings.ToUpper(part[:1]) + part[1:]
	}
	return strings.Join(parts, "")
}

// variable is a name as a Go variable, or item where the name means something else to Go or to the templates.
func variable(s string) string {
	name := lowerCamel(s)
	if !token.IsIdentifier(name) || types.Universe.Lookup(name) != nil || slices.Contains(templateNames, name) {
		return "item"
	}
	return name
}

// templateNames are the identifiers that templates use next to the variable of a resource.
var templateNames = strings.Fields(`
	a after answer api authtest body box bun c cache cached cacheKey call chassis client clients cmp connect consumer
	context create created ctx database databasetest db defaultLimit degraded deps e err errors event events eventtest f
	failed fakeStore first fmt got h handler http httpserver httptest i id ids inbox io items json kept key keys limit
	main maps method migrations miniredis missed missing mu name newCached newItem newStore next now ok out outbox page
	path present problem published publisher r redis refused reqEditors request s second serve server slices spec sql
	status store strings subscribe sync t tel telemetry test testing tests time timeToLive tx types uuid value w want wire`)

// goFile is a name for a Go file that no build constraint hides, as list_windows.go would be built on Windows only, and that
// is no device of Windows.
func goFile(name string, taken ...string) string {
	file := snake(name)
	last := file[strings.LastIndex(file, "_")+1:]
	constrained := strings.Contains(file, "_") && slices.Contains(constraints, last)
	if constrained || spec.IsDevice(file) || slices.Contains(taken, file) {
		file += "_file"
	}
	return file
}

// constraints are the file name endings that mean something to go build: tests, and the systems and processors of go tool
// dist list together with those that are reserved.
var constraints = strings.Fields(`test
	aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris wasip1 windows zos unix
	386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc ppc64 ppc64le
	riscv riscv64 s390 s390x sparc sparc64 wasm`)

// plural and singular know the regular nouns of English, which is enough for the collections of an API; a person who needs
// another word has the contract to write it in.
func plural(noun string) string {
	switch {
	case endsIn(noun, strings.Split("0123456789", "")...):
		return noun + "-items" // an s would be a word of its own: listArea51S
	case endsIn(noun, "s", "x", "z", "ch", "sh"):
		return noun + "es"
	case strings.HasSuffix(noun, "y") && !endsIn(noun, "ay", "ey", "iy", "oy", "uy"):
		return noun[:len(noun)-1] + "ies"
	}
	return noun + "s"
}

func singular(noun string) string {
	switch {
	case strings.HasSuffix(noun, "ies") && len(noun) > 4:
		return noun[:len(noun)-3] + "y"
	case endsIn(noun, "sses", "xes", "ches", "shes"):
		return noun[:len(noun)-2]
	case strings.HasSuffix(noun, "s") && !endsIn(noun, "ss", "us", "is") && len(noun) > 2:
		return noun[:len(noun)-1]
	}
	return noun
}

func endsIn(s string, suffixes ...string) bool {
	return slices.ContainsFunc(suffixes, func(suffix string) bool { return strings.HasSuffix(s, suffix) })
}
