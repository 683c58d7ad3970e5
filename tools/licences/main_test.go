package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const mit = `MIT License

Copyright (c) 2026 Somebody

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE,
ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`

const gpl = `This program is free software: you can redistribute it and/or modify
it under the terms of the GNU General Public License as published by
the Free Software Foundation, either version 3 of the License, or
(at your option) any later version.

This program is distributed in the hope that it will be useful,
but WITHOUT ANY WARRANTY; without even the implied warranty of
MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
GNU General Public License for more details.
`

const mpl = `This Source Code Form is subject to the terms of the Mozilla Public License, v. 2.0. If a copy of the MPL was not
distributed with this file, You can obtain one at https://mozilla.org/MPL/2.0/.
`

func TestCheckAcceptsOwnLicenceOnly(t *testing.T) {
	dir := folder(t, map[string]string{"LICENSE-MIT.txt": mit, "LICENSE-3RD-PARTY.md": gpl, "license.go": "package x"})
	got, err := check(dir, permissive)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, []string{"MIT"}) {
		t.Errorf("licences = %v, want MIT", got)
	}
}

func TestCheckRefusesWhatIsNotPermissive(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"copyleft": {gpl, "GPL"},
		"unknown":  {"You may use this on Tuesdays only.", "known licence"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := check(folder(t, map[string]string{"LICENSE": c.text}), permissive)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("err = %v, want it to mention %q", err, c.want)
			}
		})
	}
	if _, err := check(folder(t, map[string]string{"README.md": "MIT"}), permissive); !errors.Is(err, errNoFile) {
		t.Errorf("err = %v, want %v", err, errNoFile)
	}
}

func TestTestsMayNeedMoreThanPrograms(t *testing.T) {
	modules := map[string]string{
		"mpl": folder(t, map[string]string{"LICENSE": mpl}), "mit": folder(t, map[string]string{"LICENSE": mit}), "gpl": folder(t, map[string]string{"LICENSE": gpl}),
	}
	excepted, wrong := sift(modules, append(slices.Clone(permissive), forTests))
	if !slices.Equal(excepted, []string{"mpl"}) || len(wrong) != 1 || !strings.HasPrefix(wrong[0], "gpl: ") {
		t.Errorf("for tests: excepted %v, wrong %v", excepted, wrong)
	}
	excepted, wrong = sift(modules, permissive)
	if len(excepted) != 0 || len(wrong) != 2 || !strings.HasPrefix(wrong[1], "mpl: LICENSE: MPL-2.0") {
		t.Errorf("for programs: excepted %v, wrong %v", excepted, wrong)
	}
}

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
