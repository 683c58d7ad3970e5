package telemetry

import "strings"

// Redact replaces what looks like a secret within a text: card numbers (13 to 19 digits, with single spaces or hyphens
// between them, that pass the Luhn check of ISO/IEC 7812-1), the credentials after Bearer and Basic, JSON web tokens,
// the password of a URL, and the values of sensitive keys, as in password=… and "token":"…". A text without any is
// returned as it is.
func Redact(text string) string {
	if !suspicious(text) {
		return text
	}
	text = redactCards(text)
	text = redactCredentials(text, "bearer ")
	text = redactCredentials(text, "basic ")
	text = redactJWT(text)
	return redactAssignments(text)
}

// suspicious is a cheap look at whether any rule could match, for the many texts where none does: each rule needs 13
// digits, or one of the characters : and =, or one of the words before a blank, or "eyJ".
func suspicious(text string) bool {
	digits := 0
	for i := range len(text) {
		switch b := text[i]; {
		case '0' <= b && b <= '9':
			if digits++; digits >= 13 {
				return true
			}
		case b == ':' || b == '=':
			return true
		case b == ' ':
			if i >= 5 && (text[i-1]|0x20 == 'r' || text[i-1]|0x20 == 'c') {
				return true
			}
		case b == 'J':
			if i >= 2 && text[i-1] == 'y' && text[i-2] == 'e' {
				return true
			}
		case b == '-':
		default:
			digits = 0
		}
	}
	return false
}

// redactCards replaces each card number: groups of digits with single spaces or hyphens between them.
func redactCards(text string) string {
	var out strings.Builder
	done := 0
	for i := 0; i < len(text); {
		if !isDigit(text[i]) {
			i++
			continue
		}
		end := cardEnd(text, i)
		if end > i {
			out.WriteString(text[done:i])
			out.WriteString(Redacted)
			i, done = end, end
			continue
		}
		for i < len(text) && isDigit(text[i]) {
			i++
		}
	}
	if done == 0 {
		return text
	}
	return out.String() + text[done:]
}

// cardEnd gives the end of the longest card number that begins with the group of digits at start; start when there is
// none.
func cardEnd(text string, start int) int {
	longest, digits := start, 0
	for i := start; i < len(text) && digits <= maxCardDigits; {
		for i < len(text) && isDigit(text[i]) {
			digits++
			i++
		}
		if isCard(text[start:i], digits) && !partOfWord(text, start, i) {
			longest = i
		}
		if i+1 >= len(text) || (text[i] != ' ' && text[i] != '-') || !isDigit(text[i+1]) {
			break
		}
		i++
	}
	return longest
}

// partOfWord reports whether the digits are a piece of a longer identifier, such as a hexadecimal id.
func partOfWord(text string, start, end int) bool {
	return (start > 0 && isLetter(text[start-1])) || (end < len(text) && isLetter(text[end]))
}

// The lengths of card numbers (ISO/IEC 7812-1).
const minCardDigits, maxCardDigits = 13, 19

// isCard reports whether a run with that many digits is a card number. The first digit is 2 to 6 for every payment scheme
// (ISO/IEC 7812-1), which spares Unix times in milliseconds and finer.
func isCard(run string, digits int) bool {
	return digits >= minCardDigits && digits <= maxCardDigits && '2' <= run[0] && run[0] <= '6' && luhn(run)
}

func luhn(run string) bool {
	sum, double := 0, false
	for i := len(run) - 1; i >= 0; i-- {
		if !isDigit(run[i]) {
			continue
		}
		d := int(run[i] - '0')
		if double {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		double = !double
		sum += d
	}
	return sum%10 == 0
}

func isDigit(b byte) bool  { return '0' <= b && b <= '9' }
func isLetter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }

// redactCredentials replaces what follows an authentication scheme's name, when it looks like credentials and not prose.
func redactCredentials(text, scheme string) string {
	var out strings.Builder
	done := 0
	for i := 0; i+len(scheme) < len(text); i++ {
		if (text[i]|0x20) != scheme[0] || !strings.EqualFold(text[i:i+len(scheme)], scheme) || (i > 0 && isLetter(text[i-1])) {
			continue
		}
		start := i + len(scheme)
		end := start + wordLen(text[start:])
		if looksRandom(text[start:end]) {
			out.WriteString(text[done:start])
			out.WriteString(Redacted)
			done = end
		}
	}
	if done == 0 {
		return text
	}
	return out.String() + text[done:]
}

// looksRandom tells a credential from a word of prose: 8 characters or more, with something that prose has not.
func looksRandom(word string) bool {
	return len(word) >= 8 && (strings.ContainsAny(word, "0123456789=._/+") || strings.ToLower(word[1:]) != word[1:])
}

// redactJWT replaces tokens in the compact form of RFC 7519: three parts of base64url, of which the first is a JSON object
// and so begins with eyJ.
func redactJWT(text string) string {
	var out strings.Builder
	done := 0
	for i := strings.Index(text, "eyJ"); i >= 0; {
		end := i + jwtLen(text[i:])
		if strings.Count(text[i:end], ".") == 2 {
			out.WriteString(text[done:i])
			out.WriteString(Redacted)
			done = end
		}
		next := strings.Index(text[end:], "eyJ")
		if next < 0 {
			break
		}
		i = end + next
	}
	if done == 0 {
		return text
	}
	return out.String() + text[done:]
}

func jwtLen(text string) int {
	for i := range len(text) {
		if b := text[i]; !isLetter(b) && !isDigit(b) && b != '.' && b != '-' && b != '_' {
			return i
		}
	}
	return len(text)
}

// redactAssignments replaces the values of name=value, name: value and "name":"value" where the name is sensitive, and the
// password in scheme://user:password@host.
func redactAssignments(text string) string {
	var out strings.Builder
	done, seen := 0, 0 // seen is the end of the last URL, within which there is no other authority
	for i := range len(text) {
		if i < done || (text[i] != '=' && text[i] != ':') {
			continue
		}
		start, end := i+1, i+1
		if strings.HasPrefix(text[i:], "://") && i >= seen {
			start, end = userinfo(text, i+3)
			seen = i + 3 + wordLen(text[i+3:])
		} else if SensitiveKey(nameBefore(text, i)) {
			start, end = valueAfter(text, i+1)
		}
		if end > start && text[start:end] != Redacted {
			out.WriteString(text[done:start])
			out.WriteString(Redacted)
			done = end
		}
	}
	if done == 0 {
		return text
	}
	return out.String() + text[done:]
}

// userinfo gives the place of the password in the authority of a URL that begins at start. A careless password may hold
// @ and / itself, so the last @ ends it, unless there can be none: host:port before the path.
func userinfo(text string, start int) (from, to int) {
	word := text[start : start+wordLen(text[start:])]
	authority := word
	if end := strings.IndexAny(word, "/?#"); end >= 0 {
		authority = word[:end]
	}
	colon, at := strings.IndexByte(authority, ':'), strings.LastIndexByte(word, '@')
	if colon < 0 || colon > at || (!strings.Contains(authority, "@") && strings.Trim(authority[colon+1:], "0123456789") == "") {
		return start, start
	}
	return start + colon + 1, start + at
}

// nameBefore gives the word that ends before i, quotes and blanks skipped.
func nameBefore(text string, i int) string {
	for i > 0 && (text[i-1] == '"' || text[i-1] == '\'' || text[i-1] == ' ' || text[i-1] == '\\') {
		i--
	}
	end := i
	for i > 0 && (isLetter(text[i-1]) || isDigit(text[i-1]) || text[i-1] == '_' || text[i-1] == '-') {
		i--
	}
	return text[i:end]
}

// valueAfter gives the place of the value that begins at i: a quoted text whole, else a word.
func valueAfter(text string, i int) (from, to int) {
	for i < len(text) && (text[i] == ' ' || text[i] == '\\') {
		i++
	}
	if i < len(text) && (text[i] == '"' || text[i] == '\'') {
		if end := strings.IndexByte(text[i+1:], text[i]); end >= 0 {
			return i + 1, i + 1 + end
		}
		return i + 1, len(text)
	}
	return i, i + wordLen(text[i:])
}

// wordLen is the number of bytes before a blank, a quote or a separator.
func wordLen(text string) int {
	if end := strings.IndexAny(text, " \t\r\n\"',;&<>{}"); end >= 0 {
		return end
	}
	return len(text)
}
