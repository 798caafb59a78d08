using System.Net;
using System.Net.Http.Headers;

namespace ManagedTransformers.Hub;

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
                throw new HubTransientException($"The server answers {status} ({response.ReasonPhrase}).", Wait(response.Headers.RetryAfter));
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
            (_, int status) => $"{options.Endpoint} answers {status} ({response.ReasonPhrase}) where {what} of {model} was asked for.",
        };
        string reason = Header(response, "X-Error-Message") is { Length: > 0 } said ? $" (The hub says: {HubModelId.Shown(said)})" : "";
        return new HubException(message + reason) { StatusCode = response.StatusCode };
    }

    private static TimeSpan? Wait(RetryConditionHeaderValue? retryAfter) =>
        retryAfter?.Delta ?? (retryAfter?.Date is DateTimeOffset date ? date - DateTimeOffset.UtcNow : null);

    /// <summary>A header of the answer; null where it has none.</summary>
    public static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out IEnumerable<string>? values) ? values.FirstOrDefault() : null;
}
