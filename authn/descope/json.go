package descope

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// DecodeObject reads one JSON object, such as a token's claims, and nothing
// behind it. encoding/json would do, but for two habits that let one token read
// as two: into a struct it folds the case of names, and of a name that stands
// twice it keeps the last. Here such a name is an error.
func DecodeObject(raw json.RawMessage) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	fields := make(map[string]json.RawMessage)
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, errors.New("not valid JSON")
		}
		name, ok := token.(string)
		if !ok {
			return nil, errors.New("not valid JSON")
		}
		if _, twice := fields[name]; twice {
			return nil, errors.New("a name stands twice")
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, errors.New("not valid JSON")
		}
		fields[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, errors.New("not valid JSON")
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("data behind the JSON object")
	}
	return fields, nil
}

// absent holds for a claim that is not there and for JSON null.
func absent(raw json.RawMessage) bool {
	return len(raw) == 0 || bytes.Equal(raw, []byte("null"))
}

// stringOf is "" for anything but a JSON string.
func stringOf(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// stringsOf keeps the strings of a list that are not empty; nil for anything else.
func stringsOf(raw json.RawMessage) []string {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	var values []string
	for _, element := range list {
		if s := stringOf(element); s != "" {
			values = append(values, s)
		}
	}
	return values
}

// flatten gives the scalars of a claim as text: its own, or those of its array.
func flatten(raw json.RawMessage) []string {
	if len(raw) == 0 {
		return nil
	}
	if raw[0] != '[' {
		if text, ok := scalar(raw); ok {
			return []string{text}
		}
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	var values []string
	for _, element := range list {
		if text, ok := scalar(element); ok {
			values = append(values, text)
		}
	}
	return values
}

// scalar keeps numbers as they were written: 1e3 and 1000 are different texts,
// and a float64 in between would make two large IDs one.
func scalar(raw json.RawMessage) (string, bool) {
	switch {
	case absent(raw), raw[0] == '{', raw[0] == '[':
		return "", false
	case raw[0] == '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err == nil
	}
	return string(raw), true
}
