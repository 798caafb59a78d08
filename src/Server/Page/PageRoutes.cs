using System.Collections.Frozen;
using System.Reflection;
using System.Security.Cryptography;
using Microsoft.Net.Http.Headers;

namespace ManagedTransformers.Server;

/// <summary>The page at /, and the files that it is made of. They are open: the page asks for the key, and has nothing before it is given.</summary>
internal static class PageRoutes
{
    // All that the page runs and shows comes from this server; what is in an attribute or between tags runs nothing.
    private const string ContentSecurityPolicy =
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'";

    private static readonly Lazy<FrozenDictionary<string, PageFile>> s_files = new(Load);

    public static IReadOnlyList<ApiRoute> All { get; } =
    [
        new("GET", "/", OpenAIProtocol.Instance, PageAsync) { IsOpen = true },
        new("GET", "/page/{file}", OpenAIProtocol.Instance, FileAsync) { IsOpen = true },
    ];

    /// <summary>The names of the files.</summary>
    public static IEnumerable<string> Names => s_files.Value.Keys;

    private static Task PageAsync(ApiRequest request)
    {
        // What the page asks for is named from where it stands: /models is no folder, /models/ is one.
        string path = request.Http.Request.PathBase.Value + request.Http.Request.Path.Value;
        if (!path.EndsWith('/'))
        {
            request.Http.Response.Redirect($"{path[(path.LastIndexOf('/') + 1)..]}/");
            return Task.CompletedTask;
        }
        return SendAsync(request, s_files.Value["index.html"]);
    }

    private static Task FileAsync(ApiRequest request)
    {
        string name = request.Http.GetRouteValue("file") as string ?? "";
        return s_files.Value.TryGetValue(name, out PageFile? file) ? SendAsync(request, file)
            : throw new ApiException(Problem.NotFound, $"The page has no such file; it has {string.Join(", ", Names.Order(StringComparer.Ordinal))}.");
    }

    private static Task SendAsync(ApiRequest request, PageFile file)
    {
        IHeaderDictionary headers = request.Http.Response.Headers;
        headers.ContentSecurityPolicy = ContentSecurityPolicy;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers.CacheControl = "no-cache";              // asked for again after an update, and not sent again without one
        return TypedResults.Bytes(file.Bytes, file.Type, entityTag: file.Tag).ExecuteAsync(request.Http);
    }

    private static FrozenDictionary<string, PageFile> Load()
    {
        const string Folder = "page/";
        Assembly assembly = typeof(PageRoutes).Assembly;
        return assembly.GetManifestResourceNames().Where(name => name.StartsWith(Folder, StringComparison.Ordinal))
            .ToFrozenDictionary(name => name[Folder.Length..], name => Read(assembly, name), StringComparer.Ordinal);
    }

    private static PageFile Read(Assembly assembly, string name)
    {
        using Stream stream = assembly.GetManifestResourceStream(name)!;
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return new PageFile(bytes, TypeOf(name), new EntityTagHeaderValue($"\"{Convert.ToHexStringLower(SHA256.HashData(bytes).AsSpan(0, 12))}\""));
    }

    private static string TypeOf(string name) => Path.GetExtension(name) switch
    {
        ".html" => "text/html; charset=utf-8",
        ".css" => "text/css; charset=utf-8",
        ".js" => "text/javascript; charset=utf-8",
        _ => "image/svg+xml",
    };

    private sealed record PageFile(byte[] Bytes, string Type, EntityTagHeaderValue Tag);
}
