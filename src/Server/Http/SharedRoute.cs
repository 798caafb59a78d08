namespace ManagedTransformers.Server;

/// <summary>Routes that two protocols have, told apart by what is in the body.</summary>
internal static class SharedRoute
{
    /// <summary>Answers a body that is of another protocol than the route, its errors in that protocol's form.</summary>
    public static async Task AnswerAsync(ApiRequest request, Protocol protocol, Func<Task> answer)
    {
        try
        {
            await answer().ConfigureAwait(false);
        }
        catch (Exception e) when (e is not (OperationCanceledException or IOException) && ApiRunner.ErrorOf(e, isLate: false).Problem != Problem.Server)
        {
            await ApiRunner.AnswerAsync(request.Http, protocol, ApiRunner.ErrorOf(e, isLate: false)).ConfigureAwait(false);
        }
    }
}
