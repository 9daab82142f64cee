// Command mux serves two parts by the ways in which Go's servers read a path:
// the mux, which cleans and redirects, the older mux (GODEBUG=httpmuxgo121=1),
// which matched decoded paths, and a file server.
//
//	mux NAME=PORT[:TREE] …
//
// Every answer says which part served it: "part: admin" or "part: members".
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	failed := make(chan error)
	for _, order := range os.Args[1:] {
		name, where, _ := strings.Cut(order, "=")
		port, tree, isTree := strings.Cut(where, ":")
		handler := http.Handler(parts(name))
		if isTree {
			handler = http.FileServer(http.Dir(tree))
		}
		go func() { failed <- http.ListenAndServe("127.0.0.1:"+port, handler) }()
	}
	log.Fatal(<-failed)
}

func parts(name string) *http.ServeMux {
	mux := http.NewServeMux()
	for below, part := range map[string]string{"/" + name + "/admin": "admin", "/admin": "admin", "/" + name: "members", "": "members"} {
		say := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "part: ", part) }
		mux.HandleFunc(below+"/", say)
		if below != "" {
			mux.HandleFunc(below, say)
		}
	}
	return mux
}
