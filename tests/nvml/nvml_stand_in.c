/* A stand-in for libnvidia-ml.so.1 where no GPU is: the real C interface, loaded by the real
 * nvidia-ml-py. It keeps a driver's manners: it wants to be initialised, checks permissions, limits
 * and versions, answers a lost GPU as a lost GPU, and clocks and power obey limits.
 *
 * State: the file named by NVML_STAND_IN, read afresh at every call, so that a test may change the
 * world under a running client. One line "driver VERSION" and one line a GPU:
 *   gpu key=value key=value ...
 * Powers in mW, energy in mJ, clocks in MHz. Keys: uuid name power average module energy limit
 * enforced min max default temp sm mem util reasons lock_min lock_max flags. "flags" is a comma
 * list of: no-energy no-field-power no-permission lost mig no-mig reset-required no-temp-v root-only deaf.
 * root-only: setting needs effective user 0, as with a driver; deaf: a limit is taken and not enforced.
 * What is set is also appended to the file named by NVML_STAND_IN_LOG: boot-clock seconds, process, what, uuid, value.
 * enforced=0 means: as requested (a smaller number plays an out-of-band cap).
 *
 * -DOLD_DRIVER leaves out what drivers before 535 lack, so that looking it up fails as it does there.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef CHECK_AGAINST_HEADER /* a wrong signature is then a compile error */
#define NVML_NO_UNVERSIONED_FUNC_DEFS
#include <nvml.h>
typedef nvmlDevice_t device;
#else
typedef int nvmlReturn_t;
typedef struct nvmlDevice_st *nvmlDevice_t;
typedef nvmlDevice_t device;
typedef int nvmlTemperatureSensors_t, nvmlClockType_t, nvmlEnableState_t;
typedef struct { unsigned int gpu, memory; } nvmlUtilization_t;
typedef struct { unsigned int version; nvmlTemperatureSensors_t sensorType; int temperature; } nvmlTemperature_t;
typedef struct { unsigned int version; unsigned int powerScope; unsigned int powerValueMw; } nvmlPowerValue_v2_t;
typedef union { double dVal; int siVal; unsigned int uiVal; unsigned long ulVal; unsigned long long ullVal;
  signed long long sllVal; unsigned short usVal; } nvmlValue_t;
typedef struct { unsigned int fieldId, scopeId; long long timestamp, latencyUsec; int valueType;
  nvmlReturn_t nvmlReturn; nvmlValue_t value; } nvmlFieldValue_t;
enum { NVML_SUCCESS = 0, NVML_ERROR_UNINITIALIZED = 1, NVML_ERROR_INVALID_ARGUMENT = 2, NVML_ERROR_NOT_SUPPORTED = 3,
  NVML_ERROR_NO_PERMISSION = 4, NVML_ERROR_NOT_FOUND = 6, NVML_ERROR_INSUFFICIENT_SIZE = 7,
  NVML_ERROR_DRIVER_NOT_LOADED = 9, NVML_ERROR_GPU_IS_LOST = 15, NVML_ERROR_RESET_REQUIRED = 16,
  NVML_ERROR_ARGUMENT_VERSION_MISMATCH = 25 };
#endif

enum { MOST = 64, TEMPERATURE_V1 = 0x100000C, POWER_VALUE_V2 = 0x200000C };
enum { CAP_REASON = 0x4, IDLE_REASON = 0x1 };

struct gpu {
  char uuid[96], name[96], flags[160];
  unsigned int power, average, module, limit, enforced, min, max, standard, sm, mem, util, lock_min, lock_max;
  unsigned long long energy, reasons;
  int temp;
};
static struct gpu gpus[MOST];
static char driver[80];
static int count, users;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static unsigned long long number(const char *value) { return strtoull(value, NULL, 10); }

static void text(char *into, size_t room, const char *value) {
  snprintf(into, room, "%s", value);
  for (char *c = into; *c; c++) if (*c == '_') *c = ' ';
}

static void assign(struct gpu *g, const char *key, const char *value) {
  if (!strcmp(key, "uuid")) snprintf(g->uuid, sizeof g->uuid, "%s", value);
  else if (!strcmp(key, "name")) text(g->name, sizeof g->name, value);
  else if (!strcmp(key, "flags")) snprintf(g->flags, sizeof g->flags, ",%s,", value);
  else if (!strcmp(key, "power")) g->power = number(value);
  else if (!strcmp(key, "average")) g->average = number(value);
  else if (!strcmp(key, "module")) g->module = number(value);
  else if (!strcmp(key, "energy")) g->energy = number(value);
  else if (!strcmp(key, "limit")) g->limit = number(value);
  else if (!strcmp(key, "enforced")) g->enforced = number(value);
  else if (!strcmp(key, "min")) g->min = number(value);
  else if (!strcmp(key, "max")) g->max = number(value);
  else if (!strcmp(key, "default")) g->standard = number(value);
  else if (!strcmp(key, "temp")) g->temp = (int)strtol(value, NULL, 10);
  else if (!strcmp(key, "sm")) g->sm = number(value);
  else if (!strcmp(key, "mem")) g->mem = number(value);
  else if (!strcmp(key, "util")) g->util = number(value);
  else if (!strcmp(key, "reasons")) g->reasons = number(value);
  else if (!strcmp(key, "lock_min")) g->lock_min = number(value);
  else if (!strcmp(key, "lock_max")) g->lock_max = number(value);
}

static int load(void) {
  const char *path = getenv("NVML_STAND_IN");
  FILE *file = path ? fopen(path, "r") : NULL;
  char line[1024];
  if (!file) return 0;
  count = 0;
  while (fgets(line, sizeof line, file) && count < MOST) {
    char *rest = line, *word = strtok_r(rest, " \n", &rest);
    if (!word) continue;
    if (!strcmp(word, "driver")) { word = strtok_r(NULL, " \n", &rest); snprintf(driver, sizeof driver, "%s", word ? word : ""); }
    if (strcmp(word ? word : "", "gpu")) continue;
    struct gpu *g = &gpus[count++];
    memset(g, 0, sizeof *g);
    while ((word = strtok_r(NULL, " \n", &rest))) {
      char *value = strchr(word, '=');
      if (value) { *value++ = 0; assign(g, word, value); }
    }
  }
  fclose(file);
  return 1;
}

static void save(void) {
  const char *path = getenv("NVML_STAND_IN");
  char beside[1200];
  snprintf(beside, sizeof beside, "%s.new", path);
  FILE *file = fopen(beside, "w");
  if (!file) return;
  fprintf(file, "driver %s\n", driver);
  for (int i = 0; i < count; i++) {
    struct gpu *g = &gpus[i];
    char name[96], flags[160];
    snprintf(name, sizeof name, "%s", g->name);
    for (char *c = name; *c; c++) if (*c == ' ') *c = '_';
    snprintf(flags, sizeof flags, "%s", g->flags[0] ? g->flags + 1 : "");
    if (flags[0]) flags[strlen(flags) - 1] = 0;
    fprintf(file, "gpu uuid=%s name=%s power=%u average=%u module=%u energy=%llu limit=%u enforced=%u min=%u max=%u "
            "default=%u temp=%d sm=%u mem=%u util=%u reasons=%llu lock_min=%u lock_max=%u flags=%s\n",
            g->uuid, name, g->power, g->average, g->module, g->energy, g->limit, g->enforced, g->min, g->max,
            g->standard, g->temp, g->sm, g->mem, g->util, g->reasons, g->lock_min, g->lock_max, flags);
  }
  fclose(file);
  rename(beside, path); /* a reader never sees half a state */
}

static int has(const struct gpu *g, const char *flag) {
  char word[64];
  snprintf(word, sizeof word, ",%s,", flag);
  return strstr(g->flags, word) != NULL;
}

static unsigned int least(unsigned int a, unsigned int b) { return a < b ? a : b; }
static unsigned int in_force(const struct gpu *g) {
  if (has(g, "deaf") && g->enforced) return g->enforced;
  return g->enforced ? least(g->enforced, g->limit) : g->limit;
}
static int capped(const struct gpu *g) { return g->power > in_force(g); }

static nvmlReturn_t enter(device d, struct gpu **g) {
  uintptr_t place = (uintptr_t)d;
  if (!users) return NVML_ERROR_UNINITIALIZED;
  if (!load()) return NVML_ERROR_DRIVER_NOT_LOADED;
  if (place < 1 || place > (uintptr_t)count) return NVML_ERROR_INVALID_ARGUMENT;
  *g = &gpus[place - 1];
  if (has(*g, "lost")) return NVML_ERROR_GPU_IS_LOST;
  if (has(*g, "reset-required")) return NVML_ERROR_RESET_REQUIRED;
  return NVML_SUCCESS;
}

/* BODY runs with g set and the lock held, and leaves its answer in r. */
#define CALL(signature, BODY) \
  nvmlReturn_t signature { struct gpu *g = NULL; pthread_mutex_lock(&mutex); nvmlReturn_t r = enter(d, &g); \
    if (r == NVML_SUCCESS) { BODY; } pthread_mutex_unlock(&mutex); return r; }

nvmlReturn_t nvmlInitWithFlags(unsigned int flags) {
  (void)flags;
  pthread_mutex_lock(&mutex);
  nvmlReturn_t r = load() ? NVML_SUCCESS : NVML_ERROR_DRIVER_NOT_LOADED;
  if (r == NVML_SUCCESS) users++;
  pthread_mutex_unlock(&mutex);
  return r;
}
nvmlReturn_t nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
nvmlReturn_t nvmlShutdown(void) {
  pthread_mutex_lock(&mutex);
  nvmlReturn_t r = users ? NVML_SUCCESS : NVML_ERROR_UNINITIALIZED;
  if (users) users--;
  pthread_mutex_unlock(&mutex);
  return r;
}
const char *nvmlErrorString(nvmlReturn_t r) {
  switch (r) {
    case NVML_SUCCESS: return "Success";
    case NVML_ERROR_UNINITIALIZED: return "Uninitialized";
    case NVML_ERROR_NOT_SUPPORTED: return "Not Supported";
    case NVML_ERROR_NO_PERMISSION: return "Insufficient Permissions";
    case NVML_ERROR_NOT_FOUND: return "Not Found";
    case NVML_ERROR_DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case NVML_ERROR_GPU_IS_LOST: return "GPU is lost";
    case NVML_ERROR_RESET_REQUIRED: return "GPU requires reset";
    default: return "Invalid Argument";
  }
}
nvmlReturn_t nvmlSystemGetDriverVersion(char *into, unsigned int room) {
  if (!users) return NVML_ERROR_UNINITIALIZED;
  load();
  if (strlen(driver) >= room) return NVML_ERROR_INSUFFICIENT_SIZE;
  strcpy(into, driver);
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *n) {
  if (!users) return NVML_ERROR_UNINITIALIZED;
  if (!load()) return NVML_ERROR_DRIVER_NOT_LOADED;
  *n = count;
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int i, nvmlDevice_t *d) {
  struct gpu *g;
  *d = (device)(uintptr_t)(i + 1);
  pthread_mutex_lock(&mutex);
  nvmlReturn_t r = enter(*d, &g);
  pthread_mutex_unlock(&mutex);
  return r;
}
nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *d) {
  if (!users) return NVML_ERROR_UNINITIALIZED;
  load();
  for (int i = 0; i < count; i++)
    if (!strcmp(gpus[i].uuid, uuid)) return nvmlDeviceGetHandleByIndex_v2(i, d);
  return NVML_ERROR_NOT_FOUND;
}
CALL(nvmlDeviceGetUUID(nvmlDevice_t d, char *into, unsigned int room),
     if (strlen(g->uuid) >= room) r = NVML_ERROR_INSUFFICIENT_SIZE; else strcpy(into, g->uuid))
CALL(nvmlDeviceGetName(nvmlDevice_t d, char *into, unsigned int room),
     if (strlen(g->name) >= room) r = NVML_ERROR_INSUFFICIENT_SIZE; else strcpy(into, g->name))

CALL(nvmlDeviceGetPowerUsage(nvmlDevice_t d, unsigned int *mw), *mw = least(g->average, in_force(g)))
CALL(nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t d, unsigned long long *mj),
     if (has(g, "no-energy")) r = NVML_ERROR_NOT_SUPPORTED; else *mj = g->energy)
CALL(nvmlDeviceGetPowerManagementLimitConstraints(nvmlDevice_t d, unsigned int *low, unsigned int *high),
     *low = g->min; *high = g->max)
CALL(nvmlDeviceGetPowerManagementDefaultLimit(nvmlDevice_t d, unsigned int *mw), *mw = g->standard)
CALL(nvmlDeviceGetPowerManagementLimit(nvmlDevice_t d, unsigned int *mw), *mw = g->limit)
CALL(nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t d, unsigned int *mw), *mw = in_force(g))

static int forbidden(const struct gpu *g) { return has(g, "no-permission") || (has(g, "root-only") && geteuid() != 0); }

static void note(const struct gpu *g, const char *what, unsigned int value) {
  const char *path = getenv("NVML_STAND_IN_LOG");
  FILE *file = path ? fopen(path, "a") : NULL;
  struct timespec t;
  if (!file) return;
  clock_gettime(CLOCK_BOOTTIME, &t);
  fprintf(file, "%lld.%03ld %d %s %s %u\n", (long long)t.tv_sec, t.tv_nsec / 1000000, (int)getpid(), what, g->uuid, value);
  fclose(file);
}

static nvmlReturn_t set_limit(struct gpu *g, unsigned int mw) {
  if (forbidden(g)) return NVML_ERROR_NO_PERMISSION;
  if (mw < g->min || mw > g->max) return NVML_ERROR_INVALID_ARGUMENT;
  if (has(g, "deaf") && !g->enforced) g->enforced = g->limit;
  g->limit = mw;
  save();
  note(g, "limit", mw);
  return NVML_SUCCESS;
}
CALL(nvmlDeviceSetPowerManagementLimit(nvmlDevice_t d, unsigned int mw), r = set_limit(g, mw))

static nvmlReturn_t lock_clocks(struct gpu *g, unsigned int low, unsigned int high) {
  if (forbidden(g)) return NVML_ERROR_NO_PERMISSION;
  if (low > high) return NVML_ERROR_INVALID_ARGUMENT;
  g->lock_min = low;
  g->lock_max = high;
  save();
  note(g, "clocks", high);
  return NVML_SUCCESS;
}
CALL(nvmlDeviceSetGpuLockedClocks(nvmlDevice_t d, unsigned int low, unsigned int high), r = lock_clocks(g, low, high))
CALL(nvmlDeviceResetGpuLockedClocks(nvmlDevice_t d), r = lock_clocks(g, 0, 0))

static unsigned int sm_clock(const struct gpu *g) {
  unsigned int clock = g->sm;
  if (g->lock_max && clock > g->lock_max) clock = g->lock_max;
  if (clock < g->lock_min) clock = g->lock_min;
  return clock;
}
CALL(nvmlDeviceGetClockInfo(nvmlDevice_t d, nvmlClockType_t type, unsigned int *mhz),
     if (type == 0 || type == 1) *mhz = sm_clock(g); else if (type == 2) *mhz = g->mem; else r = NVML_ERROR_INVALID_ARGUMENT)
CALL(nvmlDeviceGetUtilizationRates(nvmlDevice_t d, nvmlUtilization_t *rates), rates->gpu = g->util; rates->memory = g->util / 2)
CALL(nvmlDeviceGetMigMode(nvmlDevice_t d, unsigned int *now, unsigned int *pending),
     if (has(g, "no-mig")) r = NVML_ERROR_NOT_SUPPORTED; else *now = *pending = has(g, "mig"))

static unsigned long long reasons(const struct gpu *g) {
  return g->reasons | (capped(g) ? CAP_REASON : 0) | (!g->util && !g->reasons ? IDLE_REASON : 0);
}
CALL(nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t d, unsigned long long *bits), *bits = reasons(g))
CALL(nvmlDeviceGetTemperature(nvmlDevice_t d, nvmlTemperatureSensors_t sensor, unsigned int *celsius),
     if (sensor) r = NVML_ERROR_INVALID_ARGUMENT; else *celsius = (unsigned int)g->temp)

static void answer(const struct gpu *g, nvmlFieldValue_t *f) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  f->timestamp = t.tv_sec * 1000000LL + t.tv_nsec / 1000;
  f->latencyUsec = 5;
  f->valueType = 1; /* unsigned int */
  f->nvmlReturn = NVML_SUCCESS;
  int module = f->scopeId == 1;
  if (f->fieldId == 83 && !has(g, "no-energy")) { f->valueType = 3; f->value.ullVal = g->energy; return; }
#ifndef OLD_DRIVER
  if (f->scopeId > 1 || (module && !g->module) || has(g, "no-field-power")) { f->nvmlReturn = NVML_ERROR_NOT_SUPPORTED; return; }
  switch (f->fieldId) {
    case 185: f->value.uiVal = module ? g->module : least(g->average, in_force(g)); return;
    case 186: f->value.uiVal = module ? g->module : least(g->power, in_force(g)); return;
    case 187: f->value.uiVal = g->min; return;
    case 188: f->value.uiVal = g->max; return;
    case 189: f->value.uiVal = g->standard; return;
    case 190: f->value.uiVal = in_force(g); return;
    case 192: f->value.uiVal = g->limit; return;
  }
#else
  (void)module;
#endif
  f->nvmlReturn = NVML_ERROR_NOT_SUPPORTED;
}
CALL(nvmlDeviceGetFieldValues(nvmlDevice_t d, int n, nvmlFieldValue_t *f), for (int i = 0; i < n; i++) answer(g, &f[i]))

#ifndef OLD_DRIVER
CALL(nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t d, unsigned long long *bits), *bits = reasons(g))
CALL(nvmlDeviceGetTemperatureV(nvmlDevice_t d, nvmlTemperature_t *t),
     if (t->version != TEMPERATURE_V1) r = NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
     else if (t->sensorType) r = NVML_ERROR_INVALID_ARGUMENT;
     else if (has(g, "no-temp-v")) r = NVML_ERROR_NOT_SUPPORTED;
     else t->temperature = g->temp)
CALL(nvmlDeviceSetPowerManagementLimit_v2(nvmlDevice_t d, nvmlPowerValue_v2_t *value),
     if (value->version != POWER_VALUE_V2) r = NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
     else if (value->powerScope) r = NVML_ERROR_NOT_SUPPORTED;
     else r = set_limit(g, value->powerValueMw))
#endif
