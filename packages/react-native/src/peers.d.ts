/** The optional peers, as far as they are used here: an app without them type-checks, and one with them does too. */

declare module "@react-native-async-storage/async-storage" {
  const AsyncStorage: import("./asyncStorage.ts").AsyncStorage;
  export default AsyncStorage;
}

declare module "@react-native-community/netinfo" {
  const NetInfo: import("./useNetworkStatus.ts").NetInfo;
  export default NetInfo;
}
