using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace ManagedTransformers.Server;

/// <summary>A route: where it is, whose errors it has, and what answers it.</summary>
/// <param name="Method">GET or POST.</param>
/// <param name="Pattern">Such as <c>/v1/models/{id}</c>; the manifest has it with the method before it.</param>
/// <param name="Protocol">How errors look.</param>
/// <param name="Answer">Reads the request and answers it; throws what is wrong.</param>
internal sealed record ApiRoute(string Method, string Pattern, Protocol Protocol, Func<ApiRequest, Task> Answer)
{
    public string Key => $"{Method} {Pattern}";

    /// <summary>Whether anybody may ask, also where keys are needed: what tells that a server is alive.</summary>
    public bool IsOpen { get; init; }
}

/// <summary>Runs routes: limits, errors in each protocol's form, and nothing that a client does ends the server.</summary>
internal sealed class ApiRunner(ServerModels models, ServerOptions options)
{
    private const int RetryAfterSeconds = 1;

    public async Task RunAsync(HttpContext http, ApiRoute route)
    {
        using var time = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        if (options.RequestTimeout is TimeSpan most)
            time.CancelAfter(most);
        CancellationToken client = http.RequestAborted;
        http.RequestAborted = time.Token;
        long start = Stopwatch.GetTimestamp();
        try
        {
            if (!route.IsOpen)
                RequireKey(http.Request);
            if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
                size.MaxRequestBodySize = options.MaxBodyBytes;
            await route.Answer(new ApiRequest(http, models, options, RouteManifest.Routes[route.Key])).ConfigureAwait(false);
        }
        catch (Exception e) when (e is ConnectionResetException || (e is OperationCanceledException or IOException && client.IsCancellationRequested))
        {
            // The client has gone: there is nobody to answer.
            http.Abort();
        }
        catch (Exception e)
        {
            ApiException error = models.ErrorOf(e) ?? ErrorOf(e, time.IsCancellationRequested);
            if (error.Problem == Problem.Server)
                models.LogFailure(e, route.Key);
            http.RequestAborted = client;
            await AnswerAsync(http, route.Protocol, error).ConfigureAwait(false);
        }
        models.LogRequest(route.Key, http.Response.StatusCode, Stopwatch.GetElapsedTime(start));
    }

    // Some clients always send the header: an empty key, or the word "undefined", is none.
    private void RequireKey(HttpRequest request)
    {
        if (options.ApiKeys.Count == 0)
            return;
        const string Scheme = "Bearer ";
        string header = request.Headers.Authorization.ToString();
        string key = header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) ? header[Scheme.Length..].Trim() : "";
        // All keys are compared, in a time that does not depend on what they have in common.
        bool isKnown = false;
        foreach (string known in options.ApiKeys)
            isKnown |= CryptographicOperations.FixedTimeEquals(Hash(known), Hash(key));
        if (!isKnown)
            throw new ApiException(Problem.Unauthorized, key is "" or "undefined" ? "An API key is needed: Authorization: Bearer KEY." : "Invalid API key.");
    }

    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));

    /// <summary>Writes an error: as the whole answer, or into a stream of events that has begun. Any other answer that has begun is cut off, which is how a
    /// client sees that it is not whole.</summary>
    public static async Task AnswerAsync(HttpContext http, Protocol protocol, ApiException error)
    {
        byte[] body = protocol.Body(error);
        if (http.Response.HasStarted)
        {
            if (http.Response.ContentType?.StartsWith(ApiRequest.EventStream, StringComparison.Ordinal) == true)
                await http.Response.Body.WriteAsync((byte[])[.. "data: "u8, .. body, .. "\n\n"u8], http.RequestAborted).ConfigureAwait(false);
            else
                http.Abort();
            return;
        }
        string allowed = http.Response.Headers.Allow.ToString();
        http.Response.Clear();
        if (allowed.Length > 0)
            http.Response.Headers.Allow = allowed;
        http.Response.StatusCode = protocol.Status(error.Problem);
        http.Response.ContentType = "application/json; charset=utf-8";
        http.Response.ContentLength = body.Length;
        if (error.Problem is Problem.Overloaded or Problem.Unavailable)
            http.Response.Headers.RetryAfter = RetryAfterSeconds.ToString(CultureInfo.InvariantCulture);
        // Also to a client that goes at this moment: an answer that does not begin would leave the connection open for a next request.
        await http.Response.Body.WriteAsync(body, CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>What an exception is to the client.</summary>
    internal static ApiException ErrorOf(Exception e, bool isLate) => e switch
    {
        ApiException api => api,
        OperationCanceledException when isLate => new ApiException(Problem.Timeout, "The time for the request is over (RequestTimeout).", e),
        EngineBusyException => new ApiException(Problem.Overloaded, e.Message, e),
        UnknownModelException => new ApiException(Problem.NotFound, e.Message, e) { Field = "model", Code = "model_not_found" },
        ModelLoadException => new ApiException(Problem.Server, e.Message, e),
        ObjectDisposedException or OperationCanceledException => new ApiException(Problem.Unavailable, "The server is stopping.", e),
        // A model that is loaded, and cannot do what this request asks for: infilling without tokens for it, say.
        ConfigException => new ApiException(Problem.NotSupported, e.Message, e),
        // What a request says becomes options, whose ranges are checked there; a null is the server's own mistake.
        ArgumentNullException => Unexpected(e),
        ArgumentException argument => new ApiException(
            Problem.Invalid, argument.Message.Replace($" (Parameter '{argument.ParamName}')", "", StringComparison.Ordinal), e),
        ModelInputException or TokenizerException => new ApiException(Problem.Invalid, e.Message, e),
        BadHttpRequestException bad => new ApiException(
            bad.StatusCode == StatusCodes.Status413PayloadTooLarge ? Problem.TooLarge : Problem.Invalid, bad.Message, e),
        _ => Unexpected(e),
    };

    private static ApiException Unexpected(Exception e) => new(Problem.Server, "The server failed; its log says why.", e);
}
