// Reads and writes token-cache.json as Databricks' Go programs do: the same structure, and no lock.
//
//	go run main.go read FILE          prints key, access token, refresh token and the end in Unix seconds
//	go run main.go write FILE KEY TOKEN   replaces one entry
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"time"
)

type token struct {
	AccessToken  string    `json:"access_token"`
	TokenType    string    `json:"token_type,omitempty"`
	RefreshToken string    `json:"refresh_token,omitempty"`
	Expiry       time.Time `json:"expiry,omitempty"`
	ExpiresIn    int64     `json:"expires_in,omitempty"`
}

type file struct {
	Version int               `json:"version"`
	Tokens  map[string]*token `json:"tokens"`
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	path := os.Args[2]
	raw, err := os.ReadFile(path)
	must(err)
	var found file
	must(json.Unmarshal(raw, &found))
	if found.Version != 1 {
		must(fmt.Errorf("needs version 1, got version %d", found.Version))
	}
	if os.Args[1] == "read" {
		keys := make([]string, 0, len(found.Tokens))
		for key := range found.Tokens {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		for _, key := range keys {
			t := found.Tokens[key]
			fmt.Printf("%q %q %q %q %d\n", key, t.AccessToken, t.TokenType, t.RefreshToken, t.Expiry.Unix())
		}
		return
	}
	expiry := time.Date(2099, 1, 1, 5, 30, 0, 120000000, time.FixedZone("", 19800))
	found.Tokens[os.Args[3]] = &token{"at-" + os.Args[4], "Bearer", "rt-" + os.Args[4], expiry, 3600}
	raw, err = json.MarshalIndent(found, "", "  ")
	must(err)
	temporary, err := os.CreateTemp(filepath.Dir(path), ".token-cache-*.tmp")
	must(err)
	_, err = temporary.Write(raw)
	must(err)
	must(temporary.Close())
	must(os.Rename(temporary.Name(), path))
}
