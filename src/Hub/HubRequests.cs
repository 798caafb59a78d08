using System.Net;
using System.Net.Http.Headers;

namespace ManagedTransformers.Hub;

/// <summary>HTTP as the hub needs it: redirects are followed by hand, so that the token stays with the hub.</summary>
internal sealed class HubRequests : IDisposable
{
    private const int MostRedirects = 10;

    private readonly HttpClient _http;
    private readonly HubOptions _options;
    private readonly Uri _endpoint;

    /// <exception cref="HubException">The endpoint or the token cannot be used.</exception>
    public HubRequests(HubOptions options)
    {
        _options = options;
        _endpoint = CheckedEndpoint(options.Endpoint);
        if (options.Token is string token && (token.Length == 0 || token.Any(c => c is <= ' ' or > '~')))
            throw new HubException("The hub's token holds blanks or characters that no token has. Look at HF_TOKEN, or log in again with \"hf auth login\".");
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false, UseCookies = false, AutomaticDecompression = DecompressionMethods.None, ConnectTimeout = options.Timeout,
        };
        _http = new HttpClient(handler)
        {
            Timeout = Timeout.InfiniteTimeSpan,            // a file may take hours; silence has a limit of its own
            MaxResponseContentBufferSize = 64 << 20,
        };
        string version = typeof(HubRequests).Assembly.GetName().Version!.ToString(3);
        _http.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("ManagedTransformers", version));
    }

    /// <summary>An address of the hub itself.</summary>
    /// <param name="path">Escaped, relative to the endpoint.</param>
    public Uri AddressOf(string path) => new($"{_endpoint.AbsoluteUri.TrimEnd('/')}/{path}");

    /// <summary>Sends a request and follows redirects.</summary>
    /// <param name="method">GET or HEAD.</param>
    /// <param name="address">An address of the hub.</param>
    /// <param name="from">The first byte that is wanted; 0: all.</param>
    /// <param name="leaveHub">Whether redirects to other hosts are followed too; else such a redirect is the answer.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>Any answer but a redirect that is followed; headers only.</returns>
    /// <exception cref="HubTransientException">The connection failed in a way that may pass.</exception>
    /// <exception cref="HubException">It failed for good, or a redirect leads where nothing is sent.</exception>
    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, Uri address, long from, bool leaveHub, CancellationToken cancellationToken)
    {
        bool withToken = _options.Token is not null;
        for (int redirects = 0; ; redirects++)
        {
            HttpResponseMessage response = await SendOnceAsync(method, address, from, withToken, cancellationToken).ConfigureAwait(false);
            if ((int)response.StatusCode is not (301 or 302 or 303 or 307 or 308) || response.Headers.Location is not Uri location)
                return response;
            var target = new Uri(address, location);
            bool atHub = IsHub(target);
            if (!atHub && !leaveHub)
                return response;
            response.Dispose();
            if (redirects == MostRedirects)
                throw new HubException($"{_endpoint.Host} redirects more than {MostRedirects} times. Is HF_ENDPOINT ({_endpoint}) a hub?");
            RequireSafe(target);
            withToken &= atHub;                            // once away, never again
            address = target;
        }
    }

    /// <summary>Receives a part of an answer; what fails here may pass, while a full disk does not.</summary>
    /// <exception cref="HubTransientException">Nothing came within the timeout (<paramref name="silent"/> says so), or the connection was cut.</exception>
    public async Task<T> ReceiveAsync<T>(Func<CancellationToken, Task<T>> receive, string silent, CancellationToken cancellationToken)
    {
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        silence.CancelAfter(_options.Timeout);
        try
        {
            return await receive(silence.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new HubTransientException(silent, inner: e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new HubTransientException($"The connection was cut: {e.Message}", inner: e);
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<HttpResponseMessage> SendOnceAsync(HttpMethod method, Uri address, long from, bool withToken, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, address);
        request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity"));
        if (withToken) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _options.Token);
        if (from > 0) request.Headers.Range = new RangeHeaderValue(from, null);
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        silence.CancelAfter(_options.Timeout);
        try
        {
            return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, silence.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new HubTransientException($"{address.Host} did not answer for {_options.Timeout.TotalSeconds:0} seconds.", inner: e);
        }
        catch (HttpRequestException e) when (e.HttpRequestError is HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError)
        {
            throw new HubException($"{address.Host} cannot be reached: {e.Message}. Look at the network, its proxy, and HF_ENDPOINT ({_endpoint}).", e);
        }
        catch (HttpRequestException e)
        {
            throw new HubTransientException($"{address.Host} cannot be reached: {e.Message}.", inner: e);
        }
    }

    private bool IsHub(Uri address) =>
        Uri.Compare(address, _endpoint, UriComponents.SchemeAndServer, UriFormat.UriEscaped, StringComparison.OrdinalIgnoreCase) == 0;

    /// <summary>Encrypted, or within this machine where the hub itself is.</summary>
    private void RequireSafe(Uri target)
    {
        if (target.Scheme == Uri.UriSchemeHttps || (target.Scheme == Uri.UriSchemeHttp && target.IsLoopback && _endpoint.IsLoopback)) return;
        throw new HubException($"{_endpoint.Host} redirects to {target.Scheme}://{target.Authority}; https is needed. Nothing was asked for there.");
    }

    private static Uri CheckedEndpoint(string endpoint)
    {
        const string Advice = "Give an address such as https://huggingface.co (HF_ENDPOINT).";
        if (!Uri.TryCreate(endpoint, UriKind.Absolute, out Uri? uri) || (uri.Scheme != Uri.UriSchemeHttps && uri.Scheme != Uri.UriSchemeHttp))
            throw new HubException($"The hub's endpoint \"{HubModelId.Shown(endpoint)}\" is no http address. {Advice}");
        if (uri.UserInfo.Length > 0 || uri.Query.Length > 0 || uri.Fragment.Length > 0)
            throw new HubException($"The hub's endpoint at {uri.Host} has a password, query or fragment in it. {Advice}");
        return uri.Scheme == Uri.UriSchemeHttps || uri.IsLoopback
            ? uri
            : throw new HubException($"The hub's endpoint {uri} is not encrypted: http is taken for this machine only. {Advice}");
    }
}
