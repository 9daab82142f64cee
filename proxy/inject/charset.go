package inject

import (
	"mime"
	"strings"
)

// encodings are the beginnings of names of encodings in which a byte of ASCII
// markup is that and nothing else. Not among them: UTF-16, and those that shift
// (ISO-2022-JP), where < may be half a letter.
var encodings = []string{
	"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-", "iso8859-", "latin", "windows-", "cp125",
	"gb", "big5", "shift_jis", "shift-jis", "sjis", "euc-", "koi8-", "macintosh", "ibm866", "tis-620",
}

// Readable reports whether a Content-Type is that of an HTML page in an encoding
// whose markup can be read as ASCII.
func Readable(contentType string) bool {
	media, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || media != "text/html" {
		return false
	}
	charset, named := parameters["charset"]
	if !named {
		return true
	}
	charset = strings.ToLower(strings.TrimSpace(charset))
	for _, name := range encodings {
		if strings.HasPrefix(charset, name) {
			return true
		}
	}
	return false
}
