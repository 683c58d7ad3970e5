package config

import (
	"fmt"
	"strings"
)

// fileSuffix marks a variable that names a file with the value.
const fileSuffix = "_FILE"

// readVariables takes a key's value from the environment, which wins over the file.
func (s *Source) readVariables(k *key) *Issue {
	text, from := s.env[k.variable], k.variable
	if k.text {
		named, set := s.env[k.variable+fileSuffix]
		if set && text != "" {
			return &Issue{Key: k.path, Source: k.variable, Wrong: "is set and so is " + k.variable + fileSuffix, Remedy: "unset one of them"}
		}
		if set {
			content, err := s.opt.ReadFile(named)
			if err != nil {
				return &Issue{Key: k.path, Source: k.variable + fileSuffix, Wrong: fmt.Sprintf("names a file that cannot be read: %v", err), Remedy: "correct the path, or mount the file"}
			}
			text, from = trimNewline(content), k.variable+fileSuffix
		}
	}
	if text == "" && k.alias != "" {
		text, from = s.env[k.alias], k.alias
	}
	if text != "" {
		s.viper.Set(k.path, text)
		s.origins[k.path] = from
	}
	return nil
}

// claim notes what a key takes from the file and the environment.
func (s *Source) claim(k *key) {
	s.known = append(s.known, k.path)
	s.claimed[k.path] = true
	for at := k.path; ; {
		dot := strings.LastIndexByte(at, '.')
		if dot < 0 {
			break
		}
		at = at[:dot]
		s.sections[at] = true
	}
	for _, variable := range []string{k.variable, k.alias} {
		if variable != "" {
			s.claimed[variable] = true
			s.variables = append(s.variables, variable)
		}
	}
	if k.text {
		s.claimed[k.variable+fileSuffix] = true
		s.variables = append(s.variables, k.variable+fileSuffix)
	}
}

// Unclaimed refuses the keys and variables that no Decode has claimed.
func (s *Source) Unclaimed() error {
	var found Error
	for path, e := range s.entries {
		if s.claimed[path] || (e.empty && s.sections[path]) {
			continue
		}
		wrong, remedy := "is unknown", hint(path, s.known)
		if s.sections[path] {
			wrong, remedy = "is a section, not a value", "give its keys, such as "+firstUnder(path, s.known)
		}
		found.add(&Issue{Key: path, Source: e.place(s.file), Wrong: wrong, Remedy: remedy})
	}
	for variable := range s.env {
		if strings.HasPrefix(variable, s.opt.Prefix) && !s.claimed[variable] {
			found.add(&Issue{Key: variable, Source: "environment", Wrong: "is unknown", Remedy: hint(variable, s.variables)})
		}
	}
	if len(found.Issues) == 0 {
		return nil
	}
	found.sort()
	return &found
}

func firstUnder(section string, keys []string) string {
	for _, k := range keys {
		if strings.HasPrefix(k, section+".") {
			return k
		}
	}
	return section + ".…"
}
