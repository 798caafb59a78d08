using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Unicode;
using Microsoft.AspNetCore.Connections;

namespace ManagedTransformers.Server;

/// <summary>A request on its way: what came, the models, and how it is answered.</summary>
internal sealed class ApiRequest(HttpContext http, ServerModels models, ServerOptions options, RouteEntry route)
{
    /// <summary>The type of a stream of server-sent events.</summary>
    public const string EventStream = "text/event-stream";

    // A key twice is a contradiction, and the check reads all keys: half a surrogate pair in one is found here.
    private static readonly JsonDocumentOptions s_strict = new() { MaxDepth = 32, AllowDuplicateProperties = false };
    private static readonly byte[] s_data = "data: "u8.ToArray(), s_end = "\n\n"u8.ToArray();

    // Compact, one line, texts as they are: some clients look for "content":" in the raw body.
    private static readonly JsonWriterOptions s_compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public HttpContext Http => http;
    public ServerModels Models => models;
    public ServerOptions Options => options;

    /// <summary>Ends when the client has gone, the time is over, or the server has waited long enough for it.</summary>
    public CancellationToken Cancellation => http.RequestAborted;

    /// <summary>A unique id with a prefix, such as cmpl-….</summary>
    public static string NewId(string prefix) => $"{prefix}{Guid.NewGuid():N}";

    /// <summary>The model that a route's path names. A slash of org/name may be escaped, as OpenAI's clients do; routing leaves it so.</summary>
    public string ModelInPath(string key) =>
        (http.GetRouteValue(key) as string ?? "").Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);

    /// <summary>Seconds since 1970.</summary>
    public static long Now => DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    /// <summary>The fields of the body's object.</summary>
    /// <exception cref="ApiException">The body is no JSON object, or too large.</exception>
    public async Task<RequestFields> ReadAsync()
    {
        JsonDocument document;
        try
        {
            document = await ParseBodyAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new ApiException(Problem.Invalid, $"The body is no JSON: {e.Message}", e);
        }
        catch (BadHttpRequestException e)
        {
            throw new ApiException(e.StatusCode == StatusCodes.Status413PayloadTooLarge ? Problem.TooLarge : Problem.Invalid, e.Message, e);
        }
        catch (IOException e) when (e is not ConnectionResetException)
        {
            throw new ApiException(Problem.Invalid, $"The body cannot be read: {e.Message}", e);     // chunks that are none
        }
        http.Response.RegisterForDispose(document);
        // The parser looks at the bytes of a text only when it is read, and a field's name may be the first that is.
        if (!Utf8.IsValid(JsonMarshal.GetRawUtf8Value(document.RootElement)))
            throw new ApiException(Problem.Invalid, "The body is no JSON: it is not UTF-8.");
        if (options.LogTexts)
            models.LogBody(http.Request.Path, document.RootElement);
        return document.RootElement.ValueKind == JsonValueKind.Object
            ? new RequestFields(document.RootElement, route.Fields)
            : throw new ApiException(Problem.Invalid, "The body is no JSON object.");
    }

    private async Task<JsonDocument> ParseBodyAsync()
    {
        try
        {
            return await RequestBody.ParseAsync(http.Request.BodyReader, s_strict, Cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not JsonException)
        {
            // Kestrel would look for the next request in what is left of the body, and log that it cannot.
            http.Response.OnStarting(() =>
            {
                http.Response.Headers.Connection = "close";
                return Task.CompletedTask;
            });
            throw;
        }
    }

    /// <summary>Answers with a JSON value.</summary>
    public Task WriteAsync(Action<Utf8JsonWriter> body, int status = StatusCodes.Status200OK)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/json; charset=utf-8";
        ReadOnlyMemory<byte> bytes = Json(body);
        http.Response.ContentLength = bytes.Length;
        return http.Response.Body.WriteAsync(bytes, Cancellation).AsTask();
    }

    /// <summary>Sends one server-sent event, at once. The first one begins the answer.</summary>
    public Task SendAsync(Action<Utf8JsonWriter> data) => SendAsync(Json(data));

    /// <summary>Sends OpenAI's end of a stream.</summary>
    public Task SendDoneAsync() => SendAsync("[DONE]"u8.ToArray());

    /// <summary>The bytes of a JSON value.</summary>
    public static ReadOnlyMemory<byte> Json(Action<Utf8JsonWriter> body)
    {
        var bytes = new ArrayBufferWriter<byte>(1024);
        using (var writer = new Utf8JsonWriter(bytes, s_compact))
            body(writer);
        return bytes.WrittenMemory;
    }

    private Task SendAsync(ReadOnlyMemory<byte> data) => SendRawAsync((byte[])[.. s_data, .. data.Span, .. s_end]);

    /// <summary>Sends bytes of a stream of events, at once.</summary>
    public async Task SendRawAsync(ReadOnlyMemory<byte> bytes)
    {
        if (!http.Response.HasStarted)
        {
            http.Response.ContentType = EventStream + "; charset=utf-8";
            http.Response.Headers.CacheControl = "no-cache";
            http.Response.Headers["X-Accel-Buffering"] = "no";
        }
        await http.Response.Body.WriteAsync(bytes, Cancellation).ConfigureAwait(false);
        await http.Response.Body.FlushAsync(Cancellation).ConfigureAwait(false);
    }
}

/// <summary>What JSON has no number for.</summary>
internal static class JsonNumbers
{
    /// <summary>A number; ±∞ as the largest that there is, NaN as null.</summary>
    public static void WriteFinite(this Utf8JsonWriter writer, double value)
    {
        if (double.IsNaN(value))
            writer.WriteNullValue();
        else
            writer.WriteNumberValue(Math.Clamp(value, float.MinValue, float.MaxValue));
    }

    /// <inheritdoc cref="WriteFinite(Utf8JsonWriter, double)"/>
    public static void WriteFinite(this Utf8JsonWriter writer, string name, double value)
    {
        writer.WritePropertyName(name);
        writer.WriteFinite(value);
    }

    /// <summary>An array of floats, each with as many digits as it needs.</summary>
    public static void WriteVector(this Utf8JsonWriter writer, ReadOnlySpan<float> vector)
    {
        writer.WriteStartArray();
        foreach (float value in vector)
        {
            if (float.IsFinite(value))
                writer.WriteNumberValue(value);
            else
                writer.WriteFinite(value);
        }
        writer.WriteEndArray();
    }
}
