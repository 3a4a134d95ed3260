// Only the deletes: what Go's own HTTP client costs per DeleteArchive, the yardstick of bench_pipeline.
//
//	go_client -url https://127.0.0.1:8443 -ca authority.pem -ids ids.txt -in-flight 64 [-sign=false]
//
// No inventory, no pace, no retry, no audit. Requests are signed (Signature Version 4, the day's key derived once), since
// Amazon Glacier takes no others; -sign=false leaves even that out.
package main

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	path      = "/123456789012/vaults/photos/archives/"
	region    = "us-east-1"
	version   = "2012-06-01"
	signed    = "host;x-amz-date;x-amz-glacier-version"
	noPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func mac(key []byte, text string) []byte {
	it := hmac.New(sha256.New, key)
	it.Write([]byte(text))
	return it.Sum(nil)
}

func readLines(name string) (lines []string) {
	file, err := os.Open(name)
	check(err)
	defer file.Close()
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		lines = append(lines, scanner.Text())
	}
	return lines
}

func sign(request *http.Request, accessKey string, dayKey []byte, now time.Time) {
	date := now.Format("20060102T150405Z")
	scope := date[:8] + "/" + region + "/glacier/aws4_request"
	request.Header.Set("X-Amz-Date", date)
	canonical := "DELETE\n" + request.URL.Path + "\n\nhost:" + request.URL.Host + "\nx-amz-date:" + date +
		"\nx-amz-glacier-version:" + version + "\n\n" + signed + "\n" + noPayload
	digest := sha256.Sum256([]byte(canonical))
	toSign := "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + hex.EncodeToString(digest[:])
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+accessKey+"/"+scope+
		", SignedHeaders="+signed+", Signature="+hex.EncodeToString(mac(dayKey, toSign)))
}

func main() {
	url := flag.String("url", "", "where the service is")
	authority := flag.String("ca", "", "PEM file of the authority to trust")
	idsFile := flag.String("ids", "", "file of archive ids, one a line")
	inFlight := flag.Int("in-flight", 64, "requests under way at once")
	signing := flag.Bool("sign", true, "sign requests")
	flag.Parse()

	roots := x509.NewCertPool()
	pem, err := os.ReadFile(*authority)
	check(err)
	roots.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{
		MaxConnsPerHost: *inFlight, MaxIdleConnsPerHost: *inFlight, DisableCompression: true,
		TLSClientConfig: &tls.Config{RootCAs: roots},
	}}
	day := time.Now().UTC().Format("20060102")
	dayKey := mac(mac(mac(mac([]byte("AWS4"+os.Getenv("AWS_SECRET_ACCESS_KEY")), day), region), "glacier"), "aws4_request")
	accessKey, ids, next := os.Getenv("AWS_ACCESS_KEY_ID"), readLines(*idsFile), int64(-1)

	var workers sync.WaitGroup
	for worker := 0; worker < *inFlight; worker++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for number := atomic.AddInt64(&next, 1); number < int64(len(ids)); number = atomic.AddInt64(&next, 1) {
				request, err := http.NewRequest("DELETE", *url+path+ids[number], nil)
				check(err)
				request.Header.Set("X-Amz-Glacier-Version", version)
				if *signing {
					sign(request, accessKey, dayKey, time.Now().UTC())
				}
				reply, err := client.Do(request)
				check(err)
				_, err = io.Copy(io.Discard, reply.Body)
				check(err)
				reply.Body.Close()
				if reply.StatusCode != 204 {
					check(fmt.Errorf("%s: %s", ids[number], reply.Status))
				}
			}
		}()
	}
	workers.Wait()
}
