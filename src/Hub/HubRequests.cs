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

/// <summary>A failure that may pass: a cut connection, silence, an overloaded server.</summary>
internal sealed class HubTransientException(string message, TimeSpan? retryAfter = null, Exception? inner = null) : IOException(message, inner)
{
    public TimeSpan? RetryAfter => retryAfter;
}

/// <summary>Tries again what may pass, with longer and longer waits.</summary>
internal sealed class HubRetry(HubOptions options)
{
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestRequested = TimeSpan.FromMinutes(5);

    /// <summary>Runs until it succeeds, fails for good, or failed too often with nothing gained: <paramref name="gained"/> grows as bytes arrive.</summary>
    /// <exception cref="HubException">It failed for good.</exception>
    public async Task<T> RunAsync<T>(string what, Func<Task<T>> attempt, Func<long> gained, CancellationToken cancellationToken)
    {
        int failures = 0;
        long before = gained();
        while (true)
        {
            try
            {
                return await attempt().ConfigureAwait(false);
            }
            catch (HubTransientException e)
            {
                long now = gained();
                failures = now > before ? 1 : failures + 1;
                before = now;
                string? tooLong = e.RetryAfter > LongestRequested ? $"The server asks to wait {e.RetryAfter.Value.TotalMinutes:0} minutes." : null;
                if (failures > options.MaxRetries || tooLong is not null)
                    throw new HubException($"{what}: {e.Message} {tooLong ?? $"It failed {failures} times in a row."} " +
                        (now > 0 ? "What has arrived is kept: try again later, and it is gone on with." : "Nothing was kept; try again later."), e);
                await Task.Delay(Delay(failures, e.RetryAfter), cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private TimeSpan Delay(int failures, TimeSpan? requested)
    {
        TimeSpan own = options.RetryDelay * Math.Pow(2, Math.Min(failures, 16) - 1);
        own = own < LongestDelay ? own : LongestDelay;
        return requested > own ? requested.Value : own;
    }
}

/// <summary>Answers that are none, as exceptions that say what to do.</summary>
/// <remarks>The hub tells the reason in X-Error-Code (huggingface_hub.utils.hf_raise_for_status).</remarks>
internal sealed class HubErrors(HubOptions options, HubModelId model)
{
    /// <summary>Passes good answers on, and disposes others. <paramref name="what"/> was asked for: the list of files, or a file.</summary>
    /// <exception cref="HubTransientException">The server is overloaded or broken for now.</exception>
    /// <exception cref="HubException">It refuses.</exception>
    public HttpResponseMessage Require(HttpResponseMessage response, string what)
    {
        int status = (int)response.StatusCode;
        if (status is >= 200 and < 400) return response;
        using (response)
        {
            if (status is 408 or 429 or >= 500)
                throw new HubTransientException($"The server answers {status} ({Reason(response)}).", Wait(response.Headers.RetryAfter));
            throw Refusal(response, what);
        }
    }

    private HubException Refusal(HttpResponseMessage response, string what)
    {
        string login = options.Token is null
            ? "No token was sent: set HF_TOKEN, or log in with \"hf auth login\"."
            : "The token that was sent (HF_TOKEN, or that of \"hf auth login\") does not give access.";
        string message = (Header(response, "X-Error-Code"), (int)response.StatusCode) switch
        {
            ("GatedRepo", _) => $"{model.Name} is gated: its authors ask for consent. " +
                $"Open {options.Endpoint}/{model.Name} in a browser, accept the terms, and use a token of that account. {login}",
            ("RevisionNotFound", _) => $"{model.Name} has no revision {model.Revision}. Give a branch, a tag or a whole commit hash; main is the default.",
            ("EntryNotFound", _) => $"{model} has no file {what}, although the list of its files names it. Try again.",
            ("RepoNotFound", _) or (_, 401) => $"{model.Name} does not exist at {options.Endpoint}, or it is private. Look at the name's spelling. {login}",
            (_, 403) => $"Access to {model.Name} is refused. If it is gated, accept its terms at {options.Endpoint}/{model.Name}; " +
                $"if it is private, its owner gives access. {login}",
            (_, 404) => $"{model} does not exist at {options.Endpoint}: {what} was not found. Look at the spelling of name and revision.",
            (_, int status) => $"{options.Endpoint} answers {status} ({Reason(response)}) where {what} of {model} was asked for.",
        };
        string reason = Header(response, "X-Error-Message") is { Length: > 0 } said ? $" (The hub says: {HubModelId.Shown(said)})" : "";
        return new HubException(message + reason) { StatusCode = response.StatusCode };
    }

    private static string Reason(HttpResponseMessage response) => HubModelId.Shown(response.ReasonPhrase ?? "");

    private static TimeSpan? Wait(RetryConditionHeaderValue? retryAfter) =>
        retryAfter?.Delta ?? (retryAfter?.Date is DateTimeOffset date ? date - DateTimeOffset.UtcNow : null);

    /// <summary>A header of the answer; null where it has none.</summary>
    public static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out IEnumerable<string>? values) ? values.FirstOrDefault() : null;
}
