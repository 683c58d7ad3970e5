package config

// Options say where the values come from.
type Options struct {
	// Environ is the environment as os.Environ gives it.
	Environ []string
	// Prefix begins the environment variables that belong to the program; APP_ when empty.
	Prefix string
	// File is a YAML file; the variable CONFIG_FILE when empty, and none when that is empty too.
	File string
	// ReadFile reads File and the files of secrets; os.ReadFile when nil.
	ReadFile func(name string) ([]byte, error)
	// Names lists the entries that a key with free names may have, such as {"calls": {"catalog", "user-profile"}}. A key
	// that is not listed takes any name.
	Names map[string][]string
}

// Load fills in the struct that into points to: its values are the defaults, then come the default tags, the file and
// the environment. Every other key in the file and every other variable with the prefix is refused. It is Open, Decode and
// Unclaimed in one. An error is an *Error that lists all that is wrong.
func Load(into any, opt Options) error { return nil }

// Source is where the values come from, read once, for programs whose parts each decode their own keys.
type Source struct{}

// Open reads the file.
func Open(opt Options) (*Source, error) { return &Source{}, nil }

// Decode fills in the struct that into points to and claims its keys.
func (s *Source) Decode(into any) error { return nil }

// Unclaimed refuses the keys and variables that no Decode has claimed.
func (s *Source) Unclaimed() error { return nil }

// Origin says where a key's value came from: a variable, a file's line, or "default".
func (s *Source) Origin(key string) string { return "" }

// Validator is implemented by structs with rules that types cannot express. Decode calls it after filling in.
type Validator interface {
	Validate(c *Check)
}

// Check collects broken rules.
type Check struct{}

// Must notes a key as wrong unless ok: what is wrong with it, and what to do.
func (c *Check) Must(key string, ok bool, wrong, remedy string) {}

// Error is everything that is wrong with a configuration.
type Error struct {
	Issues []Issue
}

// Issue is one thing that is wrong.
type Issue struct {
	// Key is the key, such as http.addr.
	Key string
	// Source is where it was given: a variable's name, file:line:column, or "default".
	Source string
	// Wrong says what is wrong, Remedy what to do.
	Wrong, Remedy string
}

func (e *Error) Error() string { return "" }
